"""A study as its user calls it: trainings, resuming, numbers, tables and figures."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from recommender import evaluate
from recommender.study.__main__ import main
from recommender.training.checkpoint import Checkpoint

SCENARIO = """\
name: small
seed: 3
data:
  source: embedded
  max_users: 120
recommender:
  model: bprmf
  params: {dim: 8}
  training: {max_epochs: 2, batch_size: 512, learning_rate: 0.01}
replicates: 2
cold_start: {lengths: [5, 20]}
cutoffs: [5, 10]
arms:
  BPRMF: {}
  the same: {}
  most popular: {recommender.model: popularity, recommender.params: {}}
  last items: {recommender.model: ease-recent, recommender.params: {recent: 7}}
"""
METRICS = ["hr@5", "ndcg@5", "hr@10", "ndcg@10"]


def study(folder, *overrides, scenario=SCENARIO, options=()):
    """Run a study that is written to the folder, and return the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "study.yaml"
    file.write_text(scenario)
    arguments = [str(file), "--out", str(folder / "run"), *options]
    for override in overrides:
        arguments += ["--set", override]
    return main(arguments)


def results(folder):
    return json.loads((folder / "run" / "results.json").read_bytes())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    assert study(folder) == 0
    return folder


def weights(run):
    return {
        path.relative_to(run): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run.rglob("recommender.pt")
    }


def test_every_arm_is_trained_with_every_seed(done):
    kept = {str(path.parent.relative_to(done / "run/arms")) for path in (done / "run").rglob("training.json")}
    slugs = ("bprmf", "the-same", "most-popular", "last-items")
    assert kept == {f"{slug}/seed-{seed}" for slug in slugs for seed in (3, 4)}
    assert results(done)["seeds"] == [3, 4]
    assert results(done)["reference"] == "BPRMF"


def test_trainings_in_processes_of_their_own_come_to_the_same(done, tmp_path):
    assert study(tmp_path, options=("--jobs", "2")) == 0
    assert weights(tmp_path / "run") == weights(done / "run")
    assert (tmp_path / "run/results.json").read_bytes() == (done / "run/results.json").read_bytes()


def test_a_training_that_fails_in_its_process_ends_the_study_and_says_which(tmp_path, capsys):
    broken = SCENARIO.replace("learning_rate: 0.01", "learning_rate: 1.0e+30")
    assert study(tmp_path, scenario=broken, options=("--jobs", "2")) == 2
    assert "BPRMF" in capsys.readouterr().err


def test_replicates_differ_in_their_seed_alone(done):
    folders = [done / f"run/arms/bprmf/seed-{seed}" for seed in (3, 4)]
    first, second = (json.loads((folder / "training.json").read_text()) for folder in folders)
    assert first["fingerprint"] == second["fingerprint"]
    assert first["features"] == second["features"]
    assert [epoch["loss"] for epoch in first["epochs"]] != [epoch["loss"] for epoch in second["epochs"]]
    texts = [(folder / "scenario.yaml").read_text() for folder in folders]
    assert texts[0].replace("  seed: 3\n", "  seed: 4\n") == texts[1]


def test_all_arms_are_measured_on_the_same_users_at_every_length(done):
    table = pd.read_parquet(done / "run/per_user.parquet")
    whole = {}
    for (arm, seed), rows in table.groupby(["arm", "seed"], sort=False):
        by_length = {length: set(part["user"]) for length, part in rows.groupby("length")}
        assert set(by_length) == {5, 20}
        assert by_length[5] == by_length[20]
        assert len(rows) == len(rows.drop_duplicates(["length", "user"]))
        whole[arm, seed] = set(rows.loc[rows["length"].isna(), "user"])
        assert by_length[5] < whole[arm, seed]
    assert len(whole) == 8
    assert len({frozenset(users) for users in whole.values()}) == 1


def test_means_are_over_users_of_means_over_seeds(done):
    table = pd.read_parquet(done / "run/per_user.parquet")
    rows = table[(table["arm"] == "BPRMF") & table["length"].isna()]
    assert set(rows["seed"]) == {3, 4}
    found = results(done)["test"]["arms"]["BPRMF"]["metrics"]
    for name in METRICS:
        per_user = rows.groupby("user")[name].mean()
        assert found[name]["mean"] == pytest.approx(per_user.mean())
        # Two trainings of a user are not two users: the interval is as wide as that of the users' means.
        half = 1.96 * per_user.std() / np.sqrt(len(per_user))
        assert found[name]["high"] - found[name]["low"] == pytest.approx(2 * half, rel=0.25)


def test_whole_histories_give_what_training_measured(done):
    for arm, slug in (("BPRMF", "bprmf"), ("last items", "last-items")):
        told = json.loads((done / f"run/arms/{slug}/seed-4/training.json").read_text())["full_ranking"][
            "test"
        ]
        table = pd.read_parquet(done / "run/per_user.parquet")
        rows = table[(table["arm"] == arm) & (table["seed"] == 4) & table["length"].isna()]
        assert len(rows) == told["users"]
        assert rows["ndcg@10"].mean() == pytest.approx(told["ndcg@10"])


def test_only_what_reads_a_history_minds_that_it_is_short(done):
    table = pd.read_parquet(done / "run/per_user.parquet")
    known = set(table.loc[table["length"] == 5, "user"])
    of = {
        (arm, length): part.sort_values(["seed", "user"])[METRICS].to_numpy()
        for (arm, length), part in table[table["user"].isin(known)].groupby(["arm", "length"], dropna=True)
    }
    assert (of["most popular", 5] == of["most popular", 20]).all()
    assert (of["last items", 5] != of["last items", 20]).any()


def test_an_arm_does_not_differ_from_its_like(done):
    compared = [results(done)["test"], *results(done)["test_by_length"].values()]
    assert len(compared) == 4
    for found in compared:
        same = found["arms"]["the same"]["difference"]
        assert same == {name: {"mean": 0.0, "low": 0.0, "high": 0.0} for name in METRICS}


def test_differences_are_paired(done):
    found = results(done)["test"]["arms"]
    table = pd.read_parquet(done / "run/per_user.parquet")
    rows = table[table["length"].isna()].pivot_table(index="user", columns="arm", values="ndcg@10")
    told = found["last items"]["difference"]["ndcg@10"]
    assert told["mean"] == pytest.approx((rows["last items"] - rows["BPRMF"]).mean())
    assert told["low"] < told["mean"] < told["high"]


def test_a_model_that_is_still_improving_at_its_last_epoch_is_marked(done):
    trainings = results(done)["arms"]["BPRMF"]["trainings"]
    assert {each["cut_short"] for each in trainings.values()} == {
        each["best_epoch"] == 2 for each in trainings.values()
    }
    fixed = results(done)["arms"]["most popular"]["trainings"]["3"]
    assert (fixed["epochs"], fixed["best_epoch"], fixed["cut_short"]) == (0, 0, False)


def test_the_table_has_every_arm_and_the_same_numbers(done):
    text = (done / "run/table.md").read_text()
    found = results(done)["test"]["arms"]["last items"]
    metric, difference = found["metrics"]["hr@10"], found["difference"]["hr@10"]
    assert f"{metric['mean']:.4f} [{metric['low']:.4f}, {metric['high']:.4f}]" in text
    assert f"{difference['mean']:+.4f} [{difference['low']:+.4f}, {difference['high']:+.4f}]" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert [len(lines) - 2 for lines in tables] == [4, 3, 12, 4]
    assert all(line.count(" |") == lines[0].count(" |") for lines in tables for line in lines)


def test_the_figure_is_drawn_thrice(done):
    run = done / "run"
    assert (run / "figure.svg").read_text().startswith("<svg")
    assert "the same" in (run / "figure.svg").read_text()
    assert (run / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "vega-lite" in json.loads((run / "figure.json").read_text())["$schema"]


def test_a_trained_arm_is_a_trained_recommender(done, capsys):
    assert evaluate.main([str(done / "run/arms/bprmf/seed-4"), "--json"]) == 0
    told = json.loads((done / "run/arms/bprmf/seed-4/training.json").read_text())["full_ranking"]["test"]
    assert json.loads(capsys.readouterr().out)["metrics"]["ndcg@10"] == pytest.approx(told["ndcg@10"])


def test_what_is_trained_is_not_trained_again(done, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(done / "run", run)
    (run / "results.json").unlink()
    (run / "arms/the-same/seed-3/training.json").unlink()
    times = {path: path.stat().st_mtime_ns for path in run.rglob("recommender.pt")}
    assert main(["--resume", str(run)]) == 0
    assert (run / "results.json").read_bytes() == (done / "run/results.json").read_bytes()
    assert (run / "per_user.parquet").read_bytes() == (done / "run/per_user.parquet").read_bytes()
    assert weights(run) == weights(done / "run")
    again = [path for path, before in times.items() if path.stat().st_mtime_ns != before]
    assert [str(path.parent.relative_to(run)) for path in again] == ["arms/the-same/seed-3"]


def test_a_study_that_was_interrupted_goes_on_from_the_epoch_it_had_reached(
    done, tmp_path, monkeypatch, capsys
):
    write = Checkpoint.write
    written = []

    def write_and_stop(self, path):
        write(self, path)
        written.append(path)
        if "the-same" in str(path):
            raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", write_and_stop)
        assert study(tmp_path) == 130
    assert "--resume" in capsys.readouterr().err
    assert written[-1] == run / "arms/the-same/seed-3/checkpoint.pt"
    assert not (run / "results.json").exists()
    first = torch.load(written[-1], weights_only=True)["log"]["epochs"]
    assert main(["--resume", str(run)]) == 0
    assert (run / "results.json").read_bytes() == (done / "run/results.json").read_bytes()
    # An epoch that was trained anew would not have taken the same time to the last digit.
    epochs = json.loads((run / "arms/the-same/seed-3/training.json").read_text())["epochs"]
    assert epochs[:1] == first
    assert not list(run.rglob("checkpoint.pt"))


def test_a_finished_arm_is_not_taken_for_another(done, capsys):
    before = (done / "run/scenario.yaml").read_bytes()
    for override, told in (
        ("recommender.params.dim=4", "trained with other options"),
        ("data.max_users=100", "trained with other options"),
        ("cutoffs=[10]", "measured at other cutoffs or cold_start.lengths"),
        ("cold_start.lengths=[5]", "measured at other cutoffs or cold_start.lengths"),
    ):
        assert main(["--resume", str(done / "run"), "--set", override]) == 2
        assert told in capsys.readouterr().err
    assert (done / "run/scenario.yaml").read_bytes() == before


def test_a_study_grows_by_an_arm(tmp_path):
    small = (
        "replicates=1",
        "cold_start=null",
        "arms={a: {recommender.model: popularity, recommender.params: {}}}",
    )
    assert study(tmp_path, *small) == 0
    more = "arms.b={recommender.model: itemknn, recommender.params: {}}"
    assert main(["--resume", str(tmp_path / "run"), "--set", more]) == 0
    assert list(results(tmp_path)["test"]["arms"]) == ["a", "b"]


def test_arms_on_different_data_are_compared_on_the_users_they_share(tmp_path):
    text = SCENARIO.replace(
        "  BPRMF: {}\n  the same: {}\n",
        "  whole core: {data.core: 0, recommender.model: popularity, recommender.params: {}}\n",
    ).replace("most popular: {", "most popular: {data.min_rating: 5, data.core: 2, ")
    assert study(tmp_path, "replicates=1", "cold_start=null", scenario=text) == 0
    table = pd.read_parquet(tmp_path / "run/per_user.parquet")
    users = {arm: set(part["user"]) for arm, part in table.groupby("arm")}
    assert len({len(each) for each in users.values()}) > 1
    assert results(tmp_path)["test"]["users"] == len(set.intersection(*users.values()))


def test_a_swept_number_is_drawn_as_a_line(tmp_path):
    swept = "sweep={recommender.params.neighbours: [50, 5]}"
    model = "recommender={model: itemknn}"
    assert study(tmp_path, "arms=null", swept, model, "replicates=1", "cold_start=null") == 0
    assert results(tmp_path)["swept"] == {
        "key": "recommender.params.neighbours",
        "values": {"neighbours=50": 50, "neighbours=5": 5},
    }
    drawn = json.loads((tmp_path / "run/figure.json").read_text())
    rows = [row for rows in drawn["datasets"].values() for row in rows]
    found = results(tmp_path)["test"]["arms"]
    for arm, x in (("neighbours=50", 50), ("neighbours=5", 5)):
        means = sorted(row["mean"] for row in rows if row["x"] == x)
        assert means == sorted(found[arm]["metrics"][name]["mean"] for name in ("hr@5", "ndcg@5"))
    assert (
        "neighbours (recommender.params.neighbours, log scale)" in (tmp_path / "run/figure.svg").read_text()
    )


def test_json_is_alone_on_standard_output(tmp_path, capsys):
    arms = "arms={only: {recommender.model: popularity, recommender.params: {}}}"
    assert study(tmp_path, arms, "replicates=1", "cold_start=null", options=["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(tmp_path / "run/results.json")
    assert told["results"] == results(tmp_path)
