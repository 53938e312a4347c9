"""The exchange with other libraries, driven with a peer that is made up; the real ones need their own Pythons."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import peers, versus_peers
from benchmarks.peers.exchange import (
    PeerError,
    PeerProcess,
    export_features,
    export_sequences,
    export_split,
)
from benchmarks.peers.pairings import PAIRINGS
from benchmarks.peers.rounds import PATIENCE, Course, Plan, alternate, ratios, typical
from benchmarks.peers.sides import Ours, Seconds, Theirs
from benchmarks.versus_peers import compared, prepare_data
from recommender.data.histories import Histories
from recommender.evaluation import evaluate
from recommender.models import Inputs, build
from recommender.training import TrainingConfig, train

PYTHON = Path(sys.executable)
FAKE = """
import sys
sys.path.insert(0, {folder!r})
from answering import Clock, run
import numpy as np

def rank(phase, to):
    part = "valid" if phase == "validation" else "test"
    path = f"{{settings['folder']}}/split/split.{{part}}.inter"
    users = np.unique(np.loadtxt(path, skiprows=1, dtype=int)[:, 0])[::-1]
    np.savez(to, user=users, item=np.tile(np.arange(50), (len(users), 1)), score=np.tile(-np.arange(50.0), (len(users), 1)))
    return {{}}

def main(conversation, given):
    global settings
    settings = given
    print("a library talks")
    conversation.say({{"versions": {{"fake": "1"}}, **{ready!r}}})
    conversation.serve({{
        "epoch": lambda: {{"seconds": {{"wall": 8.0, "cpu": 6.0}}}},
        "evaluate": lambda: {{"seconds": {{"wall": 3.0, "cpu": 2.0}}, "reported": {{"ndcg@10": 0.5}}}},
        "rank": rank, "keep": dict, "restore": dict, "fail": lambda: 1 / 0,
    }})

run(main)
"""


@pytest.fixture(scope="module")
def prepared():
    return prepare_data("embedded", None, "tfidf", users=60)


def rows(folder, name):
    return pd.read_csv(folder / name / f"{name}.train.inter", sep="\t"), *(
        pd.read_csv(folder / name / f"{name}.{part}.inter", sep="\t") for part in ("valid", "test")
    )


def read_by(prepared):
    split = prepared.split
    sizes = {"train": len(split.train), "valid": len(split.validation), "test": len(split.test)}
    return {
        "users": len(split.dataset.users),
        "items": len(split.dataset.items),
        "rows": sizes,
        "threads": 1,
    }


def script(folder, ready):
    path = folder / "cornac_run.py"
    path.write_text(FAKE.format(folder=str(Path(peers.__file__).parent), ready=ready))
    return path


def test_the_files_hold_exactly_the_split_in_its_order(prepared, tmp_path):
    split = prepared.split
    sizes = export_split(split, tmp_path)
    history = {user: [] for user in range(len(split.dataset.users))}
    for table, part, size in zip(
        rows(tmp_path, "split"), (split.train, split.validation, split.test), sizes.values(), strict=True
    ):
        assert list(table.columns) == ["user_id:token", "item_id:token", "timestamp:float"]
        assert len(table) == size == len(part)
        assert table["user_id:token"].tolist() == part.user.tolist()
        assert table["item_id:token"].tolist() == part.item.tolist()
        for user, item, time in table.itertuples(index=False):
            assert time == len(history[user])
            history[user].append(item)


def test_a_sequence_is_what_came_before_its_target_and_no_more(prepared, tmp_path):
    split, length = prepared.split, 4
    export_split(split, tmp_path)
    sizes = export_sequences(split, tmp_path, length)
    plain = dict(zip(("train", "valid", "test"), rows(tmp_path, "split"), strict=True))
    known = {
        name: table.groupby("user_id:token")["item_id:token"].apply(list) for name, table in plain.items()
    }
    train, valid, test = rows(tmp_path, "sequences")
    assert (len(train), len(valid), len(test)) == tuple(sizes.values())
    expected = [
        (user, items[max(0, at - length) : at], items[at])
        for user, items in known["train"].items()
        for at in range(1, len(items))
    ]
    told = zip(
        train["user_id:token"],
        ([int(item) for item in str(cell).split()] for cell in train["item_id_list:token_seq"]),
        train["item_id:token"],
        strict=True,
    )
    assert list(told) == expected
    for table, part, before in ((valid, "valid", ["train"]), (test, "test", ["train", "valid"])):
        assert table["user_id:token"].tolist() == sorted(known[part].index)
        for user, cell, item in table.itertuples(index=False):
            history = [each for name in before for each in known[name].get(user, [])]
            assert [int(each) for each in str(cell).split()] == history[-length:]
            assert item == known[part][user][0]


def test_features_are_written_as_they_are(prepared, tmp_path):
    vectors = prepared.features.vectors.numpy()
    export_features(vectors, tmp_path)
    assert np.array_equal(np.load(tmp_path / "features.npy"), vectors)


def pairing():
    return replace(PAIRINGS["cornac-vbpr"], batch=512)


def test_a_peer_is_driven_through_the_protocol(prepared, tmp_path, monkeypatch):
    script(tmp_path, read_by(prepared))
    monkeypatch.setattr(versus_peers, "_SCRIPTS", tmp_path)
    entry = compared(pairing(), prepared, PYTHON, Plan(5), [1e-3], 1)
    assert "why" not in entry
    assert (entry["epoch_s_theirs"], entry["epoch_cpu_s_theirs"], entry["eval_s_theirs"]) == (8.0, 6.0, 3.0)
    assert entry["train_ratio"] == pytest.approx(8 / entry["epoch_s_ours"], rel=0.1)
    assert entry["eval_ratio"] > 1
    # Its lists never change, so the first validation is its best and patience ends it; ours may go on to the limit.
    assert (entry["best_epoch_theirs"], entry["epochs_theirs"]) == (1, 1 + PATIENCE)
    assert "theirs" not in entry["cut_short"]
    assert entry["reported_theirs"] == {"ndcg@10": 0.5}
    assert entry["versions_theirs"] == {"fake": "1"}
    targets = prepared.split.test
    own = {user: set(targets.item[targets.user == user].tolist()) for user in np.unique(targets.user)}
    hits = [any(item < 10 for item in items) for items in own.values()]
    assert entry["hr_theirs"] == pytest.approx(np.mean(hits), abs=1e-4)
    json.dumps(entry)


def test_each_side_keeps_its_best_learning_rate(prepared, tmp_path, monkeypatch):
    script(tmp_path, read_by(prepared))
    monkeypatch.setattr(versus_peers, "_SCRIPTS", tmp_path)
    entry = compared(pairing(), prepared, PYTHON, Plan(2), [1e-6, 5e-2], 1)
    assert entry["learning_rate_ours"] == 5e-2
    assert entry["learning_rate_theirs"] == 1e-6  # the first of equals
    alone = compared(pairing(), prepared, PYTHON, Plan(2), [5e-2], 1)
    assert entry["ndcg_ours"] == alone["ndcg_ours"]
    assert set(alone["cut_short"]) == {"ours", "theirs"}


def test_a_peer_that_has_read_other_data_is_not_compared(prepared, tmp_path, monkeypatch):
    script(tmp_path, {**read_by(prepared), "items": 3})
    monkeypatch.setattr(versus_peers, "_SCRIPTS", tmp_path)
    entry = compared(pairing(), prepared, PYTHON, Plan(1), [1e-3], 1)
    assert entry["train_ratio"] is entry["ndcg_theirs"] is entry["ndcg_ours"] is None
    assert "'items': 3" in entry["why"]


@pytest.mark.parametrize(
    ("python", "why"), [(None, "--cornac-python"), (Path("nowhere/bin/python"), "cannot be run")]
)
def test_a_missing_python_gives_null_and_why(prepared, python, why):
    entry = compared(pairing(), prepared, python, Plan(1), [1e-3], 1)
    assert [entry[name] for name in ("train_ratio", "eval_ratio", "ndcg_ours", "ndcg_theirs")] == [None] * 4
    assert why in entry["why"]
    assert not any(name.startswith("epoch") for name in entry)


def test_what_goes_wrong_over_there_is_said_here(tmp_path):
    with PeerProcess(PYTHON, script(tmp_path, {}), {"threads": 1}, tmp_path) as process:
        assert process.ready["versions"] == {"fake": "1"}
        with pytest.raises(PeerError, match=r"ZeroDivisionError(.|\n)*Traceback"):
            process.ask("fail")
        with pytest.raises(PeerError, match="has ended"):
            process.ask("epoch")
    (tmp_path / "missing.py").write_text("import a_library_that_is_not_there")
    with (
        pytest.raises(PeerError, match="a_library_that_is_not_there"),
        PeerProcess(PYTHON, tmp_path / "missing.py", {"threads": 1}, tmp_path),
    ):
        pass


def test_lists_that_name_a_user_twice_are_refused(tmp_path):
    class Answers:
        def ask(self, do, *, phase, to):
            np.savez(to, user=[1, 1], item=[[0], [1]], score=[[1.0], [1.0]])

    with pytest.raises(PeerError, match="one for each user"):
        Theirs(Answers(), tmp_path).ranking("test")


class Timed:
    """A side with fixed seconds, whose validation is `course`, an epoch each."""

    def __init__(self, name, diary, course):
        self.name, self.diary, self.course = name, diary, course
        self.epochs, self.kept, self.weights = 0, None, None

    def epoch(self):
        self.epochs += 1
        self.weights = self.epochs
        self.diary.append(f"{self.name} trains")
        return Seconds(100.0 if self.epochs == 1 else 10.0 * self.epochs, 1.0 * self.epochs)

    def evaluate(self):
        self.diary.append(f"{self.name} evaluates")
        return Seconds(2.0, 1.0)

    def keep(self):
        self.kept = self.weights

    def restore(self):
        self.weights = self.kept


def validated(side):
    return side.course[side.epochs - 1]


def test_epochs_and_evaluations_alternate_and_the_first_of_each_is_not_counted():
    diary = []
    sides = [Timed(name, diary, []) for name in ("ours", "theirs")]
    courses = alternate(sides, Plan(50, timed=2, quality=False), validated)
    assert diary == ["ours trains", "theirs trains", "ours evaluates", "theirs evaluates"] * 3
    # 100 warms up; 20 and 30 are counted.
    assert typical(courses[0].epochs, 2) == Seconds(25.0, 2.5)
    assert courses[0].best_epoch == 0


def test_a_side_stops_by_its_own_patience_and_is_left_with_its_best_weights():
    quick, slow = (
        Timed("ours", [], [0.1, 0.3, 0.2, 0.3, 0.1, 0.9]),
        Timed("theirs", [], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    )
    courses = alternate([quick, slow], Plan(6), validated)
    assert [len(course.epochs) for course in courses] == [5, 6]
    assert [course.best_epoch for course in courses] == [2, 6]
    assert [course.converged for course in courses] == [True, False]
    assert (quick.weights, slow.weights) == (2, 6)
    assert [len(course.evaluations) for course in courses] == [4, 4]


def test_ratios_are_their_seconds_over_ours():
    assert ratios(Seconds(9.0, 8.0), Seconds(3.0, 2.0)) == (3.0, 4.0)
    assert ratios(None, Seconds(1.0, 1.0)) == (None, None)
    assert typical([Seconds(1.0, 1.0)], 3) is None
    assert Course(None).best_epoch == 0


@pytest.mark.parametrize("name", ["bprmf", "sasrec"])
def test_what_is_timed_is_the_training_loop(prepared, name):
    split = prepared.split
    users, config = len(split.dataset.users), TrainingConfig(max_epochs=2, batch_size=64, patience=9)
    profile = torch.zeros(users, 0, dtype=torch.int64)

    def model():
        torch.manual_seed(0)
        return build(name, {"dim": 8}, Inputs(users, len(split.dataset.items), prepared.train))

    timed, trained = model(), model()
    side = Ours(timed, split, config, (10, 50))
    for _ in range(2):
        side.epoch()
        ndcg = side.ranking("validation").metrics(split.validation, [10])["ndcg@10"].mean()
    log = train(trained, prepared.train, profile, split.validation, config)
    assert float(ndcg) == log.epochs[-1].ndcg
    served = Histories.of(split.history("test"), users)
    if log.best == 2:
        for one, other in zip(timed.parameters(), trained.parameters(), strict=True):
            assert torch.equal(one, other)
        expected = evaluate(trained, served, profile, split.test, [10])[1]["ndcg@10"]
        assert np.array_equal(side.ranking("test").metrics(split.test, [10])["ndcg@10"], expected)


def test_the_recorded_command_names_no_interpreter(monkeypatch):
    words = ["--quick", "--recbole-python", "/home/me/bin/python", "--threads", "2"]
    assert versus_peers._command(words) == "python -m benchmarks.versus_peers --quick --threads 2"
    assert versus_peers._command(["--recbole-python=/home/me/python"]) == "python -m benchmarks.versus_peers"
