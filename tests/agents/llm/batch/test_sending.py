"""Rounds in batches through the gateway: each call ends in one record, and none is submitted twice."""

import re
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_doubles import ask_for

from agents.llm import (
    Budget,
    BudgetReached,
    Caps,
    EndpointRefuses,
    Gateway,
    OwnPrices,
    ResponseCache,
    RetryPolicy,
    token_counter,
)
from agents.llm.batch.api import BatchApi
from agents.llm.batch.ledger import BatchLedger
from agents.llm.batch.lines import Call, Limits, input_files, output_lines
from agents.llm.batch.patience import Waiting
from agents.llm.batch.sender import BatchSender
from agents.llm.openai_client import OpenAIClient
from agents.testing.batch_server import BatchServer
from agents.testing.journal import MemoryJournal
from agents.testing.openai_server import Fault, seeded_faults

CANARY = "sk-canary-7f3a9d"
REQUESTS = [ask_for(f"u{n}", f"question {n}", max_tokens=9) for n in range(7)]
QUICK = RetryPolicy(tries=4, first_wait=0.001, longest_wait=0.002)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", CANARY)


@pytest.fixture
def journal():
    return MemoryJournal()


@pytest.fixture
def server(openai_server):
    return openai_server(
        lambda body: body["messages"][0]["content"] + "!", batches=BatchServer(["in_progress", "completed"])
    )


@pytest.fixture
def ask(server, journal, tmp_path):
    """Asks through a gateway of its own, as a process that starts with what the last one left; `told` is what it said."""

    def once(requests=REQUESTS, *, caps=None, limits=None, waiting=None, retry=QUICK, **more):
        client = OpenAIClient(base_url=server.base_url, api_key_env="TEST_KEY", timeout=5)
        counter = token_counter("gpt-4o-mini")
        budget = Budget(caps or Caps(), OwnPrices(Decimal(1), Decimal(1), Decimal(1), "test"), counter)
        sender = BatchSender(
            BatchApi(server.base_url, api_key_env="TEST_KEY", timeout=5),
            BatchLedger(tmp_path / "batches.jsonl"),
            journal,
            retry,
            budget,
            waiting or Waiting(poll=0.001),
            once.told.append,
            limits,
        )
        once.budget = budget
        with Gateway(client, journal, budget=budget, batches=sender, **more) as gateway:
            return gateway.ask(requests)

    once.told = []
    return once


def texts(records):
    return [record.completion and record.completion.text for record in records]


ANSWERS = [f"question {n}!" for n in range(7)]


def test_a_round_is_one_batch_and_each_call_one_record(server, journal, ask):
    records = ask()
    assert texts(records) == ANSWERS
    assert [record.request for record in records] == REQUESTS
    assert sorted(record.key for record in journal.kept) == sorted({record.key for record in records})
    assert all([a.error for a in record.attempts] == [None] for record in records)
    assert server.requests == 0
    assert server.batches.sizes == [7]
    assert ask.budget.spent.calls == 7
    assert texts(ask()) == ANSWERS
    assert server.batches.sizes == [7], "what the journal holds is not sent"


def test_answers_at_hand_are_not_sent(server, journal, ask, tmp_path):
    cache = ResponseCache(tmp_path / "cache")
    ask(REQUESTS[:3], cache=cache)
    journal.kept.clear()
    records = ask(at_hand=[cache], cache=cache)
    assert texts(records) == ANSWERS
    assert [record.source for record in records] == ["cache"] * 3 + ["client"] * 4
    assert server.batches.sizes == [3, 4]
    assert len(journal.kept) == 7


def test_beyond_the_limits_of_a_file_a_round_is_several_batches(server, ask):
    assert texts(ask(limits=Limits(requests=3))) == ANSWERS
    assert server.batches.sizes == [3, 3, 1]


def test_two_draws_of_one_text_are_two_lines_and_one_draw_is_one(server, ask):
    same = [ask_for("u1", "same", replicate=replicate) for replicate in (0, 1, 0)]
    records = ask(same)
    assert texts(records) == ["same!"] * 3
    assert server.batches.sizes == [2]
    assert records[0] is records[2]


@pytest.mark.parametrize(
    "faults",
    [
        [None, Fault.CUT_BEFORE],
        [None, Fault.CUT_BEFORE, Fault.ERROR_500, Fault.CUT_BEFORE],
        [None, Fault.ERROR_503, None, None],
        [Fault.RATE_SECONDS, Fault.CUT_BEFORE, None],
        [None, None, Fault.ERROR_500, Fault.RATE_MS, Fault.CUT_BEFORE],
    ],
)
def test_a_lost_answer_makes_no_second_batch(server, ask, faults):
    server.batches.faults = iter([*faults, *[None] * 100])
    assert texts(ask()) == ANSWERS
    assert server.batches.sizes == [7]


@pytest.mark.parametrize("seed", range(5))
def test_through_faults_of_every_kind_each_call_is_answered_once(server, journal, ask, seed):
    server.batches.statuses = [*["in_progress"] * 10, "completed"]
    kinds = [Fault.RATE_BARE, Fault.ERROR_500, Fault.ERROR_502, Fault.CUT_BEFORE]
    server.batches.faults = seeded_faults(0.4, seed, kinds)
    retry = RetryPolicy(tries=20, first_wait=0.001, longest_wait=0.002)
    assert texts(ask(limits=Limits(requests=3), retry=retry)) == ANSWERS
    assert server.batches.sizes == [3, 3, 1]
    assert set(server.batches.answered.values()) == {1}
    assert len(journal.kept) == 7


def test_a_server_that_falls_silent_is_waited_for_since_the_batch_goes_on(server, ask):
    server.batches.faults = iter([None] * 3 + [Fault.ERROR_503] * 9 + [None] * 100)
    server.batches.statuses = [*["in_progress"] * 3, "completed"]
    assert texts(ask()) == ANSWERS
    assert any("not to be asked for at present" in said for said in ask.told)


def test_a_server_that_stays_silent_ends_the_asking_and_the_batch_is_collected_later(server, ask):
    server.batches.faults = iter([None] * 3 + [Fault.ERROR_503] * 4 + [None] * 100)
    server.batches.statuses = [*["in_progress"] * 3, "completed"]
    with pytest.raises(EndpointRefuses, match="given up after 4 tries") as caught:
        ask(waiting=Waiting(poll=0.001, silence=0))
    assert re.search(r"batch batch_1 \(7 calls\) goes on at the server", caught.value.__notes__[0])
    assert texts(ask()) == ANSWERS
    assert server.batches.sizes == [7]


def test_a_refusal_after_a_lost_answer_does_not_forget_the_batch(server, ask):
    server.batches.faults = iter([None, Fault.CUT_BEFORE, Fault.BAD_KEY, *[None] * 100])
    with pytest.raises(EndpointRefuses, match="refuses the key"):
        ask()
    assert texts(ask()) == ANSWERS
    assert server.batches.sizes == [7]


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([Fault.BAD_KEY], r"HTTP 401: the server refuses the key it was given \(\$TEST_KEY\)"),
        ([None, Fault.NO_QUOTA], "the quota of the key is used up"),
        ([None, Fault.BAD_REQUEST], "the server rejects the request"),
        ([None, None, Fault.FORBIDDEN], "may not use the Batch API"),
        ([Fault.NO_MODEL], "has no Batch API; send call by call instead"),
    ],
)
def test_refusals_end_the_asking_at_once_and_are_mended(server, journal, ask, faults, told):
    server.batches.faults = iter([*faults, *[None] * 100])
    with pytest.raises(EndpointRefuses, match=told):
        ask()
    assert len(server.batches.requests) == len(faults) - 1
    assert journal.kept == []
    assert texts(ask()) == ANSWERS
    assert server.batches.sizes == [7]


def test_a_model_that_no_line_finds_ends_the_asking_and_its_calls_are_made_again(server, journal, ask):
    server.batches.refuse = lambda body: (404, "no such model")
    with pytest.raises(EndpointRefuses, match="has no model 'test-model'"):
        ask()
    assert [record.halting for record in journal.kept] == [True] * 7
    server.batches.refuse = lambda body: None
    assert texts(ask()) == ANSWERS
    assert ask.budget.spent.calls == 7


class PowerCut(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


class Power:
    """Fails before the step of a number, of all that change anything anywhere."""

    def __init__(self, patch, journal, fails_at):
        self.steps, self.fails_at = 0, fails_at
        for name in ("upload", "create", "retrieve", "content", "find"):
            patch.setattr(BatchApi, name, self._asynchronous(getattr(BatchApi, name)))
        patch.setattr(BatchLedger, "_write", self._step(BatchLedger._write))
        patch.setattr(journal, "append", self._step(journal.append))

    def _tick(self):
        self.steps += 1
        if self.steps == self.fails_at:
            raise PowerCut

    def _asynchronous(self, real):
        async def step(*args):
            self._tick()
            return await real(*args)

        return step

    def _step(self, real):
        def step(*args):
            self._tick()
            real(*args)

        return step


def test_cut_off_at_any_step_it_goes_on_to_the_same_records(server, journal, ask, tmp_path, monkeypatch):
    batches = server.batches
    # Of both batches some lines are answered, one of the first is refused, and some are not carried out.
    batches.statuses, batches.carried_out = ["in_progress", "expired"], 2
    batches.refuse = lambda body: (400, "no") if "0" in body["messages"][0]["content"] else None
    fails_at, cut = 0, True
    whole, spent = (
        [(r.completion, r.error and r.error[-40:]) for r in ask(limits=Limits(requests=4))],
        ask.budget.spent,
    )
    assert batches.sizes == [4, 3]
    while cut:
        fails_at, cut = fails_at + 1, False
        journal.kept.clear()
        (tmp_path / "batches.jsonl").unlink()
        batches.sizes.clear()
        batches.answered.clear()
        with monkeypatch.context() as patch:
            Power(patch, journal, fails_at)
            try:
                ask(limits=Limits(requests=4))
            except PowerCut:
                cut = True
        records = ask(limits=Limits(requests=4))
        assert [(r.completion, r.error and r.error[-40:]) for r in records] == whole
        assert set(batches.answered.values()) == {1}
        assert sum(batches.sizes) == 7
        assert len(journal.kept) == 7
        assert ask.budget.spent == spent
    assert fails_at > 15


def test_a_batch_is_found_among_those_of_others(server, ask, monkeypatch):
    def cut(*_):
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(BatchLedger, "submitted", cut)
        with pytest.raises(PowerCut):
            ask()
    server.batches.add_others(250)
    assert texts(ask()) == ANSWERS
    assert server.batches.sizes == [7]
    assert server.batches.requests.count("GET /v1/batches") == 3


def test_a_retried_call_keeps_its_tries_and_a_crash_among_them_loses_none(server, journal, ask, monkeypatch):
    server.batches.refuse = lambda body: (400, "no") if "3" in body["messages"][0]["content"] else None
    assert texts(ask()).count(None) == 1
    server.batches.refuse = lambda body: None

    def cut(*_):
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(BatchApi, "retrieve", cut)
        with pytest.raises(PowerCut):
            ask(retry_errors=True)
    records = ask()  # the batch is under way, so it is collected without being asked for again
    assert texts(records) == ANSWERS
    assert [attempt.status for attempt in records[3].attempts] == [400, None]
    assert server.batches.sizes == [7, 1]


def test_a_batch_that_somebody_cancels_leaves_failures_that_can_be_made_again(server, journal, ask):
    server.batches.statuses, server.batches.carried_out = ["in_progress", "cancelling", "cancelled"], 2
    records = ask()
    assert texts(records) == [*ANSWERS[:2], *[None] * 5]
    assert all(
        "batch batch_1 was cancelled before this call was made" in record.error for record in records[2:]
    )
    assert all(record.attempts[0].unspent for record in records[2:])
    assert ask.budget.spent.calls == 2
    server.batches.statuses = ["completed"]
    assert texts(ask(retry_errors=True)) == ANSWERS
    assert ask.budget.spent.calls == 7


def test_a_batch_that_is_gone_is_told_with_what_to_do(server, ask):
    server.batches.on_look = lambda looks: server.batches.statuses.clear()
    server.batches.statuses = ["in_progress"] * 100
    server.batches.faults = iter([None, None, Fault.NO_MODEL])
    with pytest.raises(EndpointRefuses, match="does not know batch_1: it belongs to another key or project"):
        ask()


def test_files_that_say_too_little_or_too_much_are_told_and_no_call_is_lost(
    server, journal, ask, monkeypatch
):
    real = BatchApi.content

    async def damaged(self, name):
        content = (await real(self, name)).splitlines()
        return b"\n".join([b'{"custom_id": "somebody else\'s", "response": null}', b'{"cut', *content[2:]])

    monkeypatch.setattr(BatchApi, "content", damaged)
    records = ask()
    assert texts(records) == [*ANSWERS[:5], None, None]
    assert all("have no line of this call" in record.error for record in records[5:])
    assert any("1 lines of its files cannot be read" in said for said in ask.told)
    assert any("1 lines of its files belong to none" in said for said in ask.told)
    assert ask.budget.spent.calls == 7, "nobody knows whether they were answered"


def test_answers_of_the_server_are_cleaned_of_the_key(server, ask):
    server.answer = lambda body: f"your key is {CANARY}"
    server.batches.refuse = lambda body: (
        (400, f"no: {CANARY}") if "3" in body["messages"][0]["content"] else None
    )
    records = ask()
    assert texts(records) == ["your key is [key]"] * 3 + [None] + ["your key is [key]"] * 3
    assert "[key]" in records[3].error
    assert CANARY not in repr(records)


def test_a_cap_sends_what_fits_and_going_on_uses_what_is_left(server, journal, ask):
    caps = Caps(tokens=70)
    with pytest.raises(BudgetReached, match="calls were not sent"):
        ask(caps=caps)
    assert 0 < server.batches.sizes[0] < 7
    for _ in range(20):
        with pytest.raises(BudgetReached) as reached:
            ask([*REQUESTS, *(ask_for(f"v{n}", max_tokens=9) for n in range(20))], caps=caps)
        assert ask.budget.spent.tokens <= 70
        if "tokens are spent" in str(reached.value):
            break
    assert "tokens are spent" in str(reached.value)
    assert len(server.batches.sizes) > 1
    assert set(server.batches.answered.values()) == {1}


def test_what_was_sent_is_collected_whatever_the_cap_says_now(server, ask, monkeypatch):
    def cut(*_):
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(BatchApi, "retrieve", cut)
        with pytest.raises(PowerCut):
            ask()
    assert texts(ask(caps=Caps(calls=1))) == ANSWERS


def test_an_unreachable_server_ends_the_asking_with_nothing_noted_as_sent(server, journal, ask):
    server.batches.faults = iter([Fault.ERROR_500] * 4 + [None] * 100)
    with pytest.raises(EndpointRefuses, match="given up after 4 tries"):
        ask()
    assert journal.kept == []
    assert texts(ask()) == ANSWERS
    assert server.batches.requests.count("GET /v1/batches") == 0, (
        "no batch was created that would have to be looked for"
    )


@given(
    sizes=st.lists(st.integers(0, 300), max_size=40),
    most=st.integers(1, 7),
    room=st.integers(400, 1500),
)
def test_input_files_hold_every_call_once_within_the_limits(sizes, most, room):
    calls = [Call(f"key{n}", ask_for(text="x" * size)) for n, size in enumerate(sizes)]
    files = list(input_files(calls, Limits(most, room)))
    assert [call for part, _ in files for call in part] == calls
    for part, content in files:
        assert 1 <= len(part) <= most
        assert len(part) == 1 or len(content) <= room
        assert content.count(b"\n") == len(part)


@given(st.lists(st.binary(max_size=60)))
def test_no_output_file_breaks_the_reading(lines):
    found, unreadable = output_lines(b"\n".join(lines))
    assert Counter(type(line).__name__ for line in found.values()) in ({}, {"Line": len(found)})
    assert unreadable >= 0
