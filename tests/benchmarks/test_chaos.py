"""A small run through all faults; and the tally must see what it is there to see."""

import pytest

from agents.testing.faults import Fault
from agents.testing.openai_server import Received, Sent
from benchmarks import chaos
from benchmarks.chaos import failures, faulty, refused, tally
from benchmarks.served import body_of, digest


def test_nothing_is_lost_doubled_or_invented(run, tmp_path, monkeypatch):
    monkeypatch.setattr(chaos, "_TIMEOUT", 60.0)  # on a busy machine any other answer might take too long
    monkeypatch.setattr(chaos, "KINDS", [kind for kind in chaos.KINDS if kind is not Fault.HANG])
    fields = faulty(run, tmp_path, users=12, rounds=1, rate=0.5, seed=3)
    assert failures({**fields, "refusals": []}) == []
    assert (fields["planned"], fields["recorded"]) == (24, 24)
    assert (fields["duplicated"], fields["invented"]) == (0, 0)
    assert fields["failed_attempts"]["journal"] == fields["failed_attempts"]["server"]
    assert fields["attempts"]["server"] > 30
    assert fields["fault_rate"] > 0.3


@pytest.mark.parametrize(
    ("fault", "said"), [(Fault.BAD_REQUEST, "users.params"), (None, "no connection to http://127.0.0.1")]
)
def test_refusals_end_a_run_at_once(run, tmp_path, fault, said):
    case = refused(run, tmp_path / "run", fault)
    assert said in case["message"]
    held = {"recorded": 1, "planned": 1, "duplicated": 0, "invented": 0, "replayed_alike": True}
    assert failures({**held, "attempts": {"journal": 1, "server": 1}, "refusals": [case]}) == []
    for wrong in ({"code": 3}, {"message": ""}, {"requests": 19}):
        assert failures({**held, "attempts": {"journal": 1, "server": 1}, "refusals": [{**case, **wrong}]}), (
            wrong
        )


@pytest.fixture
def account():
    """The turns and calls of two users in two arms, and what the server sent."""
    turns, calls, sent = [], [], []
    for number, (arm, user) in enumerate((arm, user) for arm in chaos.LENGTHS for user in "ab"):
        draw = {"user": user, "round": 1, "replicate": 0}
        request = {"model": "m", "messages": [{"content": f"{arm} {user}"}], "params": {}, "draw": draw}
        body = body_of({"request": request})
        text = f"Answer {number} to request {digest(body)}.\nyes"
        calls.append({"key": f"k{number}", "request": request, "completion": {"text": text}})
        turns.append(
            {"arm": f"history-{arm}", "phase": "test", "user_id": user, "round": 1, "replicate": 0}
            | {"request": f"k{number}", "status": "ok"}
        )
        sent.append(Sent(Received(body, ""), None, text, 1, 1))
    return turns, calls, sent


def counted(turns, calls, sent):
    found = tally(turns, calls, sent, 2, 1)
    return found["recorded"], found["duplicated"], found["invented"]


def test_what_is_as_it_should_be(account):
    assert counted(*account) == (4, 0, 0)


def test_a_turn_that_is_missing_or_there_twice(account):
    turns, calls, sent = account
    assert counted(turns[1:], calls, sent) == (3, 0, 1), "its call has no turn"
    assert counted([*turns, turns[0]], calls, sent) == (4, 1, 0)
    assert counted(turns, [*calls, calls[0]], sent) == (4, 1, 1), "one answer stands twice"


@pytest.mark.parametrize(
    "change", [{"round": 2}, {"arm": "history-7"}, {"request": "k9"}, {"status": "failed"}]
)
def test_a_turn_that_nobody_planned_or_answered(account, change):
    turns, calls, sent = account
    assert counted([{**turns[0], **change}, *turns[1:]], calls, sent)[2] >= 1


def test_an_answer_that_was_not_given_to_this_request(account):
    turns, calls, sent = account
    swapped = [{**calls[0], "completion": calls[1]["completion"]}, *calls[1:]]
    assert counted(turns, swapped, sent)[2] == 2
    changed = [{**calls[0], "completion": {"text": calls[0]["completion"]["text"] + "!"}}, *calls[1:]]
    assert counted(turns, changed, sent)[2] == 1
    assert counted(turns, calls, sent[1:])[2] == 1
    cut = [Sent(sent[0].received, Fault.CUT_BODY, sent[0].text, 1, 1), *sent[1:]]
    assert counted(turns, calls, cut)[2] == 1, "what was cut off is no answer"
