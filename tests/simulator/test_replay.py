"""A replay answers from the record alone: no client, no socket, no training, the same bytes."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import files, replay, simulate

from simulator import recommenders, sending, study


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "recorded"
    return simulate(out, "refinement.weight=validation", "refinement.validation_share=0.3", "rounds=2")


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the recorded run that a test may damage."""
    shutil.copytree(run.path, tmp_path / "copy")
    return type(run)(run.code, run.out, run.err, tmp_path / "copy")


@pytest.fixture
def _cut_off(monkeypatch):
    """Nothing that a replay must not do can be done."""

    def refuse(*args, **kwargs):
        raise AssertionError("a replay must not do this")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(study, "make_client", refuse)
    monkeypatch.setattr(recommenders, "train_recommender", refuse)
    monkeypatch.setattr(sending, "ResponseCache", refuse)


@pytest.mark.usefixtures("_cut_off")
def test_a_replay_is_byte_identical_and_reaches_nothing(copy, tmp_path):
    for name in ("recommender.pt", "turns.jsonl", "metrics.json", "per_user.parquet", "summary.json"):
        (copy.path / name).unlink()
    before = files(copy.path)
    again = replay(copy, tmp_path / "replayed")
    assert again.code == 0, again.err
    assert files(copy.path) == before, "a replay changes nothing in the record"
    third = replay(again, tmp_path / "replay of replay")
    assert third.code == 0, third.err
    for finished in (again, third):
        assert json.loads(finished.bytes_of("manifest.json"))["replay_of"]
        assert finished.bytes_of("calls.jsonl") == copy.bytes_of("calls.jsonl")


@pytest.mark.usefixtures("_cut_off")
def test_turns_metrics_and_table_are_the_same(run, tmp_path):
    again = replay(run, tmp_path / "replayed", options=["--json"])
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
    assert again.bytes_of("metrics.json") == run.bytes_of("metrics.json")
    assert json.loads(again.out)["metrics"] == run.metrics
    for text in ("synthetic", "not a language model"):
        assert text in again.err
    assert again.summary["refinement"] == run.summary["refinement"]


def test_as_a_command_with_the_scenario_named(run, tmp_path):
    command = [sys.executable, "-m", "simulator.run", run.path / "scenario.yaml", "--replay", run.path]
    command += ["--out", tmp_path / "again", "--json"]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == {"path": str(tmp_path / "again" / "metrics.json"), "metrics": run.metrics}
    assert (tmp_path / "again" / "turns.jsonl").read_bytes() == run.bytes_of("turns.jsonl")


@pytest.mark.parametrize("name", ["calls.jsonl", "proposals.jsonl"])
def test_a_changed_line_is_refused_with_its_place(copy, tmp_path, name):
    path = copy.path / name
    lines = path.read_text().split("\n")
    lines[2] = (
        lines[2]
        .replace('"round":1', '"round":2')
        .replace('"round": 0', '"round": 1')
        .replace("I would accept", "I would accep")
    )
    path.write_text("\n".join(lines))
    again = replay(copy, tmp_path / "replayed")
    assert again.code == 2
    assert f"{name}:3: " in again.err
    assert "Traceback" not in again.err


def test_a_lost_call_is_a_miss_that_names_the_user(copy, tmp_path):
    path = copy.path / "calls.jsonl"
    *kept, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(kept))
    again = replay(copy, tmp_path / "replayed")
    assert again.code == 5
    draw = json.loads(last)["request"]["draw"]
    assert f"no answer for user {draw['user']!r}, round {draw['round']}" in again.err


def test_a_lost_proposal_is_an_error_that_names_it(copy, tmp_path):
    path = copy.path / "proposals.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    again = replay(copy, tmp_path / "replayed")
    assert again.code == 2
    assert "proposals.jsonl: no proposal for arm history-10, test, round 2, user" in again.err


def test_a_changed_prompt_is_a_miss_that_names_the_first_difference(run, tmp_path):
    again = replay(run, tmp_path / "replayed", "prompts.feedback=template_3")
    assert again.code == 5
    assert "replay miss: " in again.err
    assert "The nearest recorded call is user" in again.err
    assert "first difference: messages[1].content at character" in again.err
    assert "Traceback" not in again.err


def test_a_changed_model_is_a_miss_that_names_it(run, tmp_path):
    again = replay(run, tmp_path / "replayed", "users.model=other")
    assert again.code == 5
    assert "first difference: model at character 0: 'other' now and 'standin' in the record" in again.err


def test_other_data_are_refused(run, tmp_path):
    again = replay(run, tmp_path / "replayed", "data.seed=1")
    assert again.code == 2
    assert "the run was made on other data" in again.err
    assert "manifest.json" in again.err


def test_another_refinement_of_the_same_answers_needs_no_call(run, tmp_path):
    """One round, since later rounds depend on what was shown in the first."""
    again = replay(run, tmp_path / "replayed", "refinement.policy=replace", "rounds=1")
    assert again.code == 0, again.err
    assert all(turn["final"] == turn["ranking"][:5] for turn in again.turns)


@pytest.mark.parametrize(
    "name", ["scenario.yaml", "manifest.json", "calls.jsonl", "proposals.jsonl", "training.json"]
)
def test_a_missing_file_is_named(copy, tmp_path, name):
    (copy.path / name).unlink()
    again = replay(copy, tmp_path / "replayed")
    assert again.code == 2
    assert name in again.err
    assert "Traceback" not in again.err


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    again = simulate(tmp_path / "out", options=["--replay", tmp_path / "nowhere"], scenario=None)
    assert again.code == 2
    assert "nowhere" in again.err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("_cut_off")
@pytest.mark.parametrize(
    "override", ["recommender.device=cuda", "recommender.model=not_installed_here:Model"]
)
def test_a_replay_needs_neither_the_model_nor_the_device_of_the_run(run, tmp_path, override):
    again = replay(run, tmp_path / "replayed", override)
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
