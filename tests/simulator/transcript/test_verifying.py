"""verify: a run as it was written is whole; whatever is changed in it is named with its file and line."""

import json

import pandas as pd
import pytest
from damaged_runs import edited, sealed_call, turn_with
from small_runs import simulate

from simulator.transcript.verifying import verify


def test_a_run_as_written_is_whole_and_says_what_was_checked(recorded, transcript):
    told = transcript("verify", recorded.path)
    assert told.code == 0, told.out
    turns = len(recorded.turns)
    assert (
        f"calls.jsonl: {turns} lines fit their hash, {turns} keys fit their requests, none twice" in told.out
    )
    assert f"turns.jsonl: {turns} turns, each planned one once" in told.out
    assert "metrics.json: " in told.out
    assert "per_user.parquet: " in told.out
    assert "data: the embedded data of the scenario have the hash of the run" in told.out
    assert told.out.endswith(f"{recorded.path}: whole\n")


def test_as_json_for_a_program(recorded, transcript):
    told = transcript("verify", recorded.path, "--json")
    found = json.loads(told.out)
    assert (found["whole"], found["complete"], found["faults"]) == (True, True, [])
    assert f"{recorded.path}: whole" in told.err


@pytest.mark.parametrize("name", ["calls.jsonl", "proposals.jsonl", "turns.jsonl"])
def test_one_changed_byte_is_found_in_its_line(copied, transcript, name):
    path = copied.path / name
    edited(path, lambda lines: [*lines[:3], lines[3].replace(b"1", b"2", 1), *lines[4:]])
    told = transcript("verify", copied.path)
    assert told.code == 1
    assert f"fault: {path}:4: " in told.out
    assert "restore the file" in told.out
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("calls.jsonl", lambda lines: [*lines, lines[0]], "is there twice, though it was answered"),
        ("calls.jsonl", lambda lines: lines[1:], "is not in calls.jsonl"),
        ("calls.jsonl", lambda lines: [*lines[:-1], lines[-1][:-9]], "is not as it was written"),
        ("calls.jsonl", lambda lines: [*lines[:-1], lines[-1][:-1]], "its line break is missing"),
        ("calls.jsonl", lambda lines: [sealed_call(lines[0], key="0" * 64), *lines[1:]], "not that of the request"),
        ("calls.jsonl", lambda lines: [sealed_call(lines[0], completion=None), *lines[1:]], "answer or an error"),
        ("proposals.jsonl", lambda lines: [*lines, lines[0]], "is there twice"),
        ("proposals.jsonl", lambda lines: lines[:-1], "has no slate in proposals.jsonl"),
        ("turns.jsonl", lambda lines: lines[:-1], "the planned turn of history-10, test, replicate 0, round 2"),
        ("turns.jsonl", lambda lines: [*lines, lines[-1]], "is there twice"),
        ("turns.jsonl", lambda lines: [lines[1], lines[0], *lines[2:]], "out of its order"),
        ("turns.jsonl", lambda lines: [*lines, turn_with(lines[-1], round=9)], "was planned"),
        ("turns.jsonl", lambda lines: [turn_with(lines[0], request="0" * 64), *lines[1:]], "which is not in calls"),
        ("turns.jsonl", lambda lines: [turn_with(lines[0], error="lost"), *lines[1:]], "error 'lost'"),
        ("turns.jsonl", lambda lines: [turn_with(lines[0], shown=[]), *lines[1:]], "is not its slate"),
        ("turns.jsonl", lambda lines: [turn_with(lines[0], final=["?"]), *lines[1:]], "others than the slate's"),
        ("turns.jsonl", lambda lines: [turn_with(lines[0], templates={}), *lines[1:]], "are not those of manifest"),
        ("turns.jsonl", lambda lines: [turn_with(lines[0], slate=[], shown=[]), *lines[1:]], "not the one in proposals"),
        ("turns.jsonl", lambda lines: [*lines[:-1], turn_with(lines[-1], targets=["?"])], "metrics.json: history-10"),
        ("scenario.yaml", lambda lines: [*lines, b"# more\n"], "it is not the scenario that manifest.json"),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_named(copied, name, change, fault):
    edited(copied.path / name, change)
    found = verify(copied.path)
    assert not found.whole
    assert any(fault in line for line in found.faults), found.faults


@pytest.mark.parametrize(
    ("name", "key", "fault"),
    [("metrics.json", "mean", "and the turns give"), ("manifest.json", "data", "its hash of the data")],
)
def test_a_changed_number_or_hash_is_named(copied, name, key, fault):
    path = copied.path / name
    document = json.loads(path.read_bytes())
    inner = document["hashes"] if "hashes" in document else document["history-5"]["refined"]["ndcg@3"]
    inner[key] = 0.987 if key == "mean" else "0" * 64
    path.write_text(json.dumps(document))
    found = verify(copied.path)
    assert any(fault in line for line in found.faults), found.faults


@pytest.mark.parametrize(
    "name", ["turns.jsonl", "metrics.json", "per_user.parquet", "training.json", "calls.jsonl"]
)
def test_a_lost_file_of_a_complete_run_is_a_fault(copied, name):
    (copied.path / name).unlink()
    assert any(f"{name}: " in fault for fault in verify(copied.path).faults)


def test_a_damaged_table_is_a_fault(copied):
    (copied.path / "per_user.parquet").write_bytes(b"PAR1")
    assert any(
        "per_user.parquet: it is not what the turns give" in fault for fault in verify(copied.path).faults
    )


def test_a_changed_meter_is_a_fault(copied):
    path = copied.path / "summary.json"
    document = json.loads(path.read_bytes())
    document["meters"]["history-5"]["audience"]["echo"]["mean"] = 0.0
    path.write_text(json.dumps(document))
    assert any("meters.history-5.audience.echo.mean is 0.0" in fault for fault in verify(copied.path).faults)


def test_items_of_slates_that_nothing_tells_of_are_a_fault(copied):
    path = copied.path / "items.parquet"
    items = pd.read_parquet(path)
    items.iloc[1:].to_parquet(path, index=False)
    assert any("items.parquet: it lacks 1 items of slates" in fault for fault in verify(copied.path).faults)
    path.write_bytes(b"PAR1")
    assert any("not a table of items" in fault for fault in verify(copied.path).faults)


def test_a_run_of_before_without_items_is_no_fault(copied):
    (copied.path / "items.parquet").unlink()
    found = verify(copied.path)
    assert found.whole
    assert any("meters were not checked" in note for note in found.notes)


def test_an_unfinished_run_is_checked_as_far_as_it_goes(copied, transcript):
    (copied.path / "summary.json").unlink()
    edited(copied.path / "calls.jsonl", lambda lines: [*lines[:7], lines[7][:100]])
    told = transcript("verify", copied.path)
    assert told.code == 0, told.out
    assert "this run is not finished" in told.out
    assert "calls.jsonl:8: cut short" in told.out
    assert told.out.endswith("whole as far as it has come, and unfinished\n")


def test_a_call_made_again_after_it_failed_is_no_fault(copied):
    def made_again(lines):
        failed = sealed_call(lines[0], completion=None, usage=None, error="the server was busy")
        return [failed, *lines]

    edited(copied.path / "calls.jsonl", made_again)
    found = verify(copied.path)
    assert found.whole, found.faults
    assert any("made again after they had failed" in line for line in found.checked)


def test_a_folder_without_a_run_is_a_usage_error(tmp_path, transcript):
    told = transcript("verify", tmp_path)
    assert told.code == 2
    assert told.err.startswith("error: ")
    assert "no run was begun here" in told.err


def test_a_run_with_whole_histories_and_replacement_is_whole(tmp_path):
    run = simulate(
        tmp_path / "run", "cold_start.lengths=null", "refinement.policy=replace", "users.client=echo"
    )
    assert verify(run.path).whole
