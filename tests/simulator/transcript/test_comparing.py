"""diff: the first difference between two runs, in words."""

import json

import pytest
from damaged_runs import edited, sealed_call
from small_runs import replay, simulate

from simulator.transcript.comparing import compare


def test_a_run_and_its_replay_are_equal(recorded, tmp_path, transcript):
    again = replay(recorded, tmp_path / "again")
    told = transcript("diff", recorded.path, again.path)
    assert told.code == 0, told.out
    turns = len(recorded.turns)
    assert f"turns: {turns} equal\n" in told.out
    assert f"calls: {turns} equal\n" in told.out


def test_the_same_run_made_twice_is_equal_though_its_times_are_not(recorded, tmp_path):
    again = simulate(
        tmp_path / "again", "refinement.weight=validation", "refinement.validation_share=0.3", "rounds=2",
        "users.concurrency=1",
    )  # fmt: skip
    found = compare(recorded.path, again.path)
    assert again.bytes_of("calls.jsonl") != recorded.bytes_of("calls.jsonl")
    assert found.equal
    assert found.scenario == ["users.concurrency is 16 in the first and 1 in the second"]


def test_another_answer_is_traced_from_the_metrics_to_its_characters(recorded, copied, transcript):
    """The journal is changed and replayed: the same request, answered otherwise."""
    # Of the last round, so that no later prompt depends on it.
    first = next(turn for turn in copied.turns if turn["round"] == 2)

    def answered_otherwise(lines):
        for line in lines:
            call = json.loads(line)
            if call["key"] != first["request"]:
                yield line
                continue
            yield sealed_call(line, completion={**call["completion"], "text": "I am not sure."})

    edited(copied.path / "calls.jsonl", answered_otherwise)
    again = replay(copied, copied.path.parent / "again")
    told = transcript("diff", recorded.path, again.path)
    assert told.code == 1
    where = f"arm {first['arm']}, test, replicate 0, round {first['round']}, user {first['user_id']}"
    assert (
        f"first turn that differs: {where}: status at character 0: 'ok' in the first and 'unparseable' in the second"
        in told.out
    )
    assert "the same request was answered differently: text at character" in told.out
    assert "calls: " in told.out
    assert "1 differ" in told.out
    found = json.loads(transcript("diff", recorded.path, again.path, "--json").out)
    assert found["equal"] is False
    assert found["calls"]["differ"] == 1
    assert found["turns"]["differ"] >= 1


def test_another_prompt_is_named_by_scenario_template_and_request(recorded, tmp_path):
    other = simulate(
        tmp_path / "other", "refinement.weight=validation", "refinement.validation_share=0.3", "rounds=2",
        "prompts.feedback=template_4",
    )  # fmt: skip
    found = compare(recorded.path, other.path)
    assert not found.equal
    assert "prompts.feedback is 'template_b' in the first and 'template_4' in the second" in found.scenario
    assert any(line.startswith("hashes.prompts.feedback is ") for line in found.manifest)
    assert found.first_call.startswith("the request: messages[1].content at character ")
    assert found.calls["equal"] == 0
    assert found.calls["only in the first"] == len(recorded.turns)


def test_turns_that_only_one_run_has_are_counted(recorded, tmp_path):
    shorter = simulate(
        tmp_path / "shorter", "refinement.weight=validation", "refinement.validation_share=0.3"
    )
    found = compare(recorded.path, shorter.path)
    assert found.turns == {
        "equal": len(shorter.turns),
        "differ": 0,
        "only in the first": 24,
        "only in the second": 0,
    }
    assert found.first_turn.startswith("arm history-5, test, replicate 0, round 2, user ")
    assert found.first_turn.endswith("there only in the first")
    assert found.metrics
    assert ".mean is" in found.metrics[0]


@pytest.mark.parametrize(
    "name", ["turns.jsonl", "calls.jsonl", "scenario.yaml", "manifest.json", "metrics.json"]
)
def test_a_damaged_run_is_an_error_and_no_difference(recorded, copied, transcript, name):
    (copied.path / name).write_bytes(b"{ damaged\n")
    told = transcript("diff", recorded.path, copied.path)
    assert told.code == 2
    assert name in told.err
    assert "Traceback" not in told.err
