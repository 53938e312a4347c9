"""Vectors of elsewhere: matched by id, and refused where they do not fit; RecBole's own where its Python is named."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from small_runs import simulate

from recommender import evaluate, export, train
from recommender.models import ModelError, build
from recommender.testing import RecommenderConformance, toy_inputs
from scenarios.bring_your_own import export_split

EXAMPLE = Path(__file__).parents[2] / "scenarios/bring_your_own"
SCENARIO = EXAMPLE / "vectors_file.yaml"
NAME = "scenarios.bring_your_own.vectors_file:VectorsFile"


def arrays(interests=None, dim=4):
    """Random vectors of the toy's users and items, in another order, with strangers among them."""
    inputs, generator = toy_inputs(), np.random.default_rng(0)
    users = [*reversed(inputs.user_ids), "stranger"]
    items = ["novelty", *reversed(inputs.item_ids)]
    shape = (len(users), dim) if interests is None else (len(users), interests, dim)
    return {
        "users": generator.random(shape, dtype=np.float32),
        "items": generator.random((len(items), dim), dtype=np.float32),
        "user_id": np.array(users),
        "item_id": np.array(items),
    }


@pytest.fixture
def made(tmp_path):
    """A model of a file of the arrays given."""

    def make(**changed):
        np.savez(tmp_path / "v.npz", **{key: a for key, a in (arrays() | changed).items() if a is not None})
        return build(NAME, {"path": str(tmp_path / "v.npz")}, toy_inputs())

    return make


class TestVectorsFile(RecommenderConformance):
    model_name = NAME
    interests: ClassVar = None

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path):
        np.savez(tmp_path / "vectors.npz", **arrays(self.interests))
        self.params = {"path": str(tmp_path / "vectors.npz")}


class TestVectorsFileOfInterests(TestVectorsFile):
    interests: ClassVar = 3


def test_rows_are_matched_by_id(made):
    file, inputs = arrays(), toy_inputs()
    model = made()
    table = model.score(replace(TestVectorsFile().batch(model, inputs)), model.catalogue())
    user, item = file["user_id"].tolist().index("u7"), file["item_id"].tolist().index("i30")
    assert table[7, 30].item() == pytest.approx(float(file["users"][user] @ file["items"][item]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"users": None},
            r"v\.npz: lacks users; it should be a \.npz that holds users, items, user_id, item_id",
        ),
        ({"users": np.ones((49, 3))}, r"users are \(49, 3\) and items \(37, 4\); they should be"),
        ({"users": np.ones(49)}, "they should be"),
        ({"users": np.full((49, 4), np.nan)}, "users hold float64, or numbers that are not finite"),
        ({"items": np.ones((37, 4), dtype=int)}, "items hold int64"),
        ({"item_id": np.arange(37)}, r"item_id is int64 \(37,\); it should be 37 strings"),
        ({"user_id": np.array(["u1"])}, "it should be 49 strings"),
        ({"user_id": np.array([None] * 49)}, "write ids as strings, not as objects"),
        (
            {"user_id": np.array(["u3", *(f"u{n}" for n in range(48))])},
            r"holds 1 users \('u3'\) more than once",
        ),
        (
            {"user_id": np.array([f"x{n}" for n in range(49)])},
            r"has no vector of 48 users \('u0', 'u1', 'u2', 'u3', 'u4', ...\), of 48; it holds 49 users \('x0'",
        ),
        (
            {"item_id": np.array(["new", *(f"i{n}" for n in range(35)), "old"])},
            r"has no vector of 1 items \('i35'\), of 36; .*export_split",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(made, changed, message):
    with pytest.raises(ModelError, match=message) as told:
        made(**changed)
    assert "v.npz" in str(told.value)


def test_no_file_or_another_one_is_refused(tmp_path):
    inputs = toy_inputs()
    with pytest.raises(ModelError, match=r"nothing\.npz: no such file"):
        build(NAME, {"path": str(tmp_path / "nothing.npz")}, inputs)
    for name, content in (("text.npz", b"hello"), ("cut.npz", b"PK\x03\x04cut"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}: is no \.npz of plain arrays"):
            build(NAME, {"path": str(tmp_path / name)}, inputs)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(ModelError, match=r"one\.npy: lacks users, items"):
        build(NAME, {"path": str(tmp_path / "one.npy")}, inputs)


def test_without_ids_nothing_can_be_matched(tmp_path):
    np.savez(tmp_path / "v.npz", **arrays())
    with pytest.raises(ModelError, match="is given 0 of 48 user ids and 36 of 36 item ids"):
        build(NAME, {"path": str(tmp_path / "v.npz")}, replace(toy_inputs(), user_ids=()))


def told(capsys, *arguments):
    capsys.readouterr()
    assert evaluate.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["metrics"]


def test_what_one_recommender_exports_another_run_serves(tmp_path, capsys):
    """A trained model of ours, read back as if it were a stranger's: the same figures, and an audience before it."""
    few = ["--set", "data.max_users=150"]
    own, other, file = tmp_path / "own", tmp_path / "other", tmp_path / "v.npz"
    bprmf = ["--set", "recommender.model=bprmf", "--set", "recommender.params={}"]
    bprmf += ["--set", "recommender.training.max_epochs=2"]
    assert train.main([str(SCENARIO), *few, *bprmf, "--out", str(own)]) == 0
    assert export.main([str(own), "--vectors", str(file)]) == 0
    path = f"recommender.params.path={file}"
    assert train.main([str(SCENARIO), *few, "--set", path, "--out", str(other)]) == 0
    assert told(capsys, other) == pytest.approx(told(capsys, own))
    run = simulate(tmp_path / "run", few[1], path, "users.count=8", scenario=SCENARIO)
    assert run.code == 0, run.err
    assert len(run.turns) > 0


def test_the_split_is_written_under_the_ids_of_the_data(tmp_path, capsys):
    assert export_split.main([str(SCENARIO), "--to", str(tmp_path), "--set", "data.max_users=150"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "split")
    parts = {}
    for name in ("train", "valid", "test"):
        header, *lines = (tmp_path / f"split/split.{name}.inter").read_text().splitlines()
        assert header == "user_id:token\titem_id:token\ttimestamp:float"
        parts[name] = [tuple(line.split("\t")) for line in lines]
    everything = [row for rows in parts.values() for row in rows]
    assert len({row[:2] for row in everything}) == len({row[::2] for row in everything}) == len(everything)
    one = everything[0][0]
    assert sorted(int(time) for user, _, time in everything if user == one) == list(
        range(sum(user == one for user, _, _ in everything))
    )


def test_a_scenario_or_a_folder_that_is_wrong_is_told(tmp_path, capsys):
    assert export_split.main(["nowhere.yaml", "--to", str(tmp_path)]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert export_split.main([str(SCENARIO), "--to", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(
    "RECBOLE_PYTHON" not in os.environ, reason="RECBOLE_PYTHON does not name RecBole's Python"
)
@pytest.mark.parametrize("model", ["BPR", "LightGCN"])
def test_a_checkpoint_of_recbole_is_served_with_recbole_s_own_figures(model, tmp_path, capsys):
    def recbole(*arguments):
        done = subprocess.run(
            [os.environ["RECBOLE_PYTHON"], *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": "", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.splitlines()[-1]

    few = ["--set", "data.max_users=200"]
    assert export_split.main([str(SCENARIO), "--to", str(tmp_path / "exchange"), *few]) == 0
    script = (
        "import json; from recbole.quick_start import run_recbole; found = run_recbole("
        f"model={model!r}, config_file_list=[{str(EXAMPLE / 'recbole.yaml')!r}], config_dict={{'epochs': 3}}); "
        "print(json.dumps(found['test_result']))"
    )
    theirs = json.loads(recbole("-c", script))
    checkpoint = next((tmp_path / "saved").glob("*.pth"))
    assert model in recbole(str(EXAMPLE / "recbole_vectors.py"), str(checkpoint), "vectors.npz")
    path = f"recommender.params.path={tmp_path / 'vectors.npz'}"
    assert train.main([str(SCENARIO), *few, "--set", path, "--out", str(tmp_path / "ours")]) == 0
    ours = told(capsys, tmp_path / "ours")
    for name in ("10", "50"):
        # RecBole tells four digits.
        assert ours[f"hr@{name}"] == pytest.approx(theirs[f"hit@{name}"], abs=6e-5)
        assert ours[f"ndcg@{name}"] == pytest.approx(theirs[f"ndcg@{name}"], abs=6e-5)


def test_the_vectors_move_with_the_model(made):
    assert made().to(torch.device("meta")).items().device.type == "meta"
