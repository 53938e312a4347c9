"""The commands as a user calls them: train, evaluate, export, and going on after a kill."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ranx import Qrels, Run
from ranx import evaluate as ranx_evaluate
from small_runs import SCENARIO, simulate

from recommender import evaluate, export, train
from recommender.training.checkpoint import Checkpoint

BPRMF = ("--set", "recommender.model=bprmf", "--set", "recommender.training.max_epochs=3")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert train.main([str(SCENARIO), *BPRMF, "--out", str(folder)]) == 0
    return folder


def measured(capsys, *arguments):
    assert evaluate.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_training_tells_what_it_did_and_leaves_no_checkpoint(trained):
    told = json.loads((trained / "training.json").read_text())
    assert (told["model"], told["data"]) == ("bprmf", "embedded (synthetic)")
    assert len(told["epochs"]) == 3
    assert {"scenario.yaml", "recommender.pt", "training.json"} <= {path.name for path in trained.iterdir()}
    assert not list(trained.glob("*checkpoint*"))


def test_evaluation_repeats_what_training_measured(trained, capsys):
    told = json.loads((trained / "training.json").read_text())["full_ranking"]
    for phase in ("validation", "test"):
        found = measured(capsys, trained, "--phase", phase)["metrics"]
        for name in ("hr@10", "ndcg@10", "hr@50", "ndcg@50", "recall@10"):
            assert found[name] == pytest.approx(told[phase][name], abs=1e-9)


def test_evaluation_prints_a_table_of_the_cut_offs_asked_for(trained, capsys):
    assert evaluate.main([str(trained), "--cutoffs", "5", "20"]) == 0
    printed = capsys.readouterr().out
    for word in ("@5", "@20", "hr", "ndcg", "recall", "mrr", "embedded (synthetic)"):
        assert word in printed


def test_a_run_of_the_simulator_can_be_evaluated_too(tmp_path, capsys):
    run = simulate(tmp_path / "run", "recommender.model=ease")
    assert run.code == 0, run.err
    capsys.readouterr()
    found = measured(capsys, run.path)
    told = run.summary["recommender"]["full_ranking"]["test"]
    assert found["metrics"]["ndcg@10"] == pytest.approx(told["ndcg@10"], abs=1e-9)


def test_trec_files_give_an_independent_tool_the_same_figures(trained, tmp_path, capsys):
    assert export.main([str(trained), "--trec", str(tmp_path), "--depth", "50"]) == 0
    capsys.readouterr()
    ours = measured(capsys, trained)["metrics"]
    qrels = Qrels.from_file(str(tmp_path / "qrels.trec"), kind="trec")
    run = Run.from_file(str(tmp_path / "run.trec"), kind="trec")
    theirs = ranx_evaluate(qrels, run, ["ndcg@10", "hit_rate@10", "ndcg@50"])
    for name, other in (("ndcg@10", "ndcg@10"), ("hr@10", "hit_rate@10"), ("ndcg@50", "ndcg@50")):
        assert ours[name] == pytest.approx(theirs[other], abs=1e-6)


def test_exported_vectors_rank_as_the_model_does(trained, tmp_path, capsys):
    assert export.main([str(trained), "--vectors", str(tmp_path / "v.npz"), "--trec", str(tmp_path)]) == 0
    with np.load(tmp_path / "v.npz") as file:
        users, items, user_id, item_id = (file[name] for name in ("users", "items", "user_id", "item_id"))
    assert users.dtype == items.dtype == np.float32
    assert users.flags.c_contiguous
    assert items.flags.c_contiguous
    assert users.shape[2] == items.shape[1]
    scores = np.einsum("ukd,id->uki", users, items).max(1)
    place = {name: number for number, name in enumerate(item_id.tolist())}
    person = {name: number for number, name in enumerate(user_id.tolist())}
    lines = [line.split() for line in (tmp_path / "run.trec").read_text().splitlines()]
    for user, _, item, _, score, tag in lines[:500]:
        assert scores[person[user], place[item]] == pytest.approx(float(score), abs=1e-4)
        assert tag == "bprmf"


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (train, ["nowhere.yaml"], "nowhere.yaml"),
        (train, [str(SCENARIO), "--set", "recommender.model=bprmff"], "recommender.model should be"),
        (train, [str(SCENARIO), "--set", "recommender.params={dimm: 3}"], "has no parameter 'dimm'"),
        (evaluate, ["nowhere"], "nowhere"),
        (export, ["nowhere", "--trec", "x"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(command, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(arguments) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_other_data_than_those_of_the_training_are_refused(trained, capsys):
    assert evaluate.main([str(trained), "--set", "data.max_users=100"]) == 2
    assert "was trained on other data" in capsys.readouterr().err


def test_nothing_to_export_is_wrong_usage(trained, capsys):
    with pytest.raises(SystemExit) as stopped:
        export.main([str(trained)])
    assert stopped.value.code == 2
    assert "say what to write" in capsys.readouterr().err


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is not None, reason="the extra 'tensorboard' is installed"
)
def test_tensorboard_that_is_not_there_is_asked_for(tmp_path, capsys):
    arguments = [str(SCENARIO), *BPRMF, "--out", str(tmp_path / "run"), "--tensorboard", str(tmp_path / "tb")]
    assert train.main(arguments) == 2
    assert "pip install 'screentest[tensorboard]'" in capsys.readouterr().err


def test_where_no_training_was_begun_none_is_gone_on_with(tmp_path, capsys):
    assert train.main(["--resume", str(tmp_path)]) == 2
    assert f"{tmp_path}: there is nothing to go on with" in capsys.readouterr().err


def test_a_training_that_is_complete_is_not_gone_on_with(trained, capsys):
    assert train.main(["--resume", str(trained)]) == 2
    assert "this training is complete" in capsys.readouterr().err


def test_options_that_do_not_fit_a_checkpoint_leave_the_scenario_beside_it_as_it_was(
    tmp_path, monkeypatch, capsys
):
    write = Checkpoint.write

    def write_and_stop(checkpoint, path):
        write(checkpoint, path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", write_and_stop)
        assert train.main([str(SCENARIO), *BPRMF, "--out", str(tmp_path / "run")]) == 130
    resume, scenario = ["--resume", str(tmp_path / "run")], tmp_path / "run" / "scenario.yaml"
    before = scenario.read_text()
    assert train.main([*resume, "--set", "recommender.training.learning_rate=0.5"]) == 2
    assert "repeat those it was begun with" in capsys.readouterr().err
    assert scenario.read_text() == before
    assert train.main([*resume, "--set", "name=moved"]) == 0
    assert "name: moved" in scenario.read_text()


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    options = [
        str(SCENARIO),
        "--set",
        "recommender.model=bprmf",
        "--set",
        "recommender.training.max_epochs=12",
    ]
    options += ["--set", "recommender.training.patience=12", "--set", "recommender.training.batch_size=64"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert train.main([*options, "--out", str(whole)]) == 0
    command = [sys.executable, "-m", "recommender.train", *options, "--out", str(stopped)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL, env=dict(os.environ)) as process:
        while not list(stopped.glob("*checkpoint*")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert not (stopped / "training.json").exists()
    assert train.main(["--resume", str(stopped)]) == 0
    first, second = (json.loads((folder / "training.json").read_text()) for folder in (whole, stopped))
    assert [epoch["loss"] for epoch in first["epochs"]] == [epoch["loss"] for epoch in second["epochs"]]
    assert first["full_ranking"] == second["full_ranking"]
    assert (whole / "recommender.pt").read_bytes() == (stopped / "recommender.pt").read_bytes()
