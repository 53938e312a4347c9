from llm_doubles import ask_for, completion
from turns_made import turn

from agents.llm import Attempt, Completion, Record, Usage
from simulator.measures.audience import Calls, Replies


def record(key, answer=None, source="client", attempts=1):
    tries = tuple(Attempt(None, None, 0.5) for _ in range(attempts))
    return Record(
        key, ask_for(), tries, answer, None if answer else "down", source, "2026-01-01T00:00:00.000", 0.5
    )


def replies(turns):
    gathered = Replies()
    for each in turns:
        gathered.add(each)
    return gathered.told()


def test_every_planned_turn_is_counted_in_its_arm_and_phase():
    counted = replies(
        [
            turn(accepted=("a", "b"), undecided=("c",), status="partial", missing=2, duplicate=1),
            turn(user_id="u2", status="failed", fallback=True, unknown=3, ambiguous=4),
            turn(phase="validation"),
        ]
    )
    assert list(counted) == ["history-5, test", "history-5, validation"]
    test = counted["history-5, test"]
    assert test["planned"] == 2
    assert test["statuses"] == {"failed": 1, "partial": 1}
    assert test["fallback"] == 1
    assert test["acceptance"] == 2 / 10
    assert [test[name] for name in ("missing", "duplicate", "unknown", "ambiguous")] == [2, 1, 3, 4]
    assert sum(entry["planned"] for entry in counted.values()) == 3


def test_no_slate_has_no_acceptance():
    assert replies([turn(slate=())])["history-5, test"]["acceptance"] is None


def test_who_was_asked_for_a_ranking_only_has_no_acceptance():
    ranked = turn(undecided=(), nulls_accepted={"echo": ()})
    failed = turn(status="failed", fallback=True, ranking=(), undecided=(), nulls_accepted={"echo": ()})
    assert replies([ranked, failed])["history-5, test"]["acceptance"] is None


def test_calls_are_counted_once_and_missing_token_counts_told():
    answer = completion()
    uncounted = Completion("ok", "stop", Usage(None, 5), "other-model")
    gathered = Calls()
    gathered.add([record("a", answer, attempts=3), record("a", answer, attempts=3)])
    gathered.add([record("b"), record("a", answer, attempts=3), record("c", uncounted)])
    counted = gathered.told()
    assert (counted["calls"], counted["answered"], counted["failed"], counted["attempts"]) == (3, 2, 1, 5)
    assert (counted["prompt_tokens"], counted["completion_tokens"]) == (3, 6)
    assert counted["calls_without_token_count"] == 1
    assert counted["models"] == ["other-model", "test-model"]
    assert counted["call_seconds"] == 1.5
