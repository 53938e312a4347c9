"""Caps are never passed by the server's own count, and never keep a call back that fits."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_doubles import ask_for

from agents.llm import (
    Budget,
    BudgetReached,
    CallError,
    Caps,
    ClientSetupError,
    Completion,
    Gateway,
    Halt,
    OwnPrices,
    Pace,
    RetryPolicy,
    TokenCounter,
    Usage,
)
from agents.testing.journal import MemoryJournal
from agents.testing.scripted import ScriptedClient

PRICES = OwnPrices(Decimal("1.1"), Decimal("3.3"), Decimal("0.1"), "test")
WORDS = TokenCounter(True, "words", lambda text: len(text.split()))
ESTIMATE = TokenCounter(False, "a guess that is far too low", lambda text: 0)


class CountingServer:
    """Counts what it answered, and fails by a script: "lost" answers are paid for and never arrive."""

    def __init__(self, script, prompt_tokens):
        self.script, self.prompt_tokens = list(script), prompt_tokens
        self.calls, self.tokens, self.cost = 0, 0, Decimal(0)

    def answer(self, request):
        kind, reply = self.script.pop() if self.script else ("ok", 5)
        if kind == "busy":
            raise CallError("busy", retryable=True, status=503)
        self.calls += 1
        self.tokens += self.prompt_tokens + reply
        self.cost += PRICES.cost(self.prompt_tokens, reply)
        if kind == "lost":
            raise CallError("connection lost", retryable=True)
        usage = Usage(None, None) if kind == "silent" else Usage(self.prompt_tokens, reply)
        return Completion("ok", "stop", usage, "m")


def request(number):
    return ask_for(f"u{number}", text="a b c d e", max_tokens=20)


PROMPT_TOKENS = WORDS.prompt(request(0).messages)

outcomes = st.tuples(st.sampled_from(["ok", "busy", "lost", "silent"]), st.integers(0, 20))


@given(
    st.lists(outcomes, max_size=40),
    st.integers(1, 64),
    st.one_of(st.none(), st.integers(0, 30)),
    st.one_of(st.none(), st.integers(0, 900)),
    st.one_of(st.none(), st.integers(0, 2000)),
)
def test_no_cap_is_ever_passed_by_the_servers_count(script, concurrency, calls, tokens, micro_dollars):
    server = CountingServer(script, PROMPT_TOKENS)
    cost = None if micro_dollars is None else Decimal(micro_dollars) / 10**6
    caps = Caps(calls, tokens, cost)
    budget = Budget(caps, PRICES, WORDS)
    journal = MemoryJournal()
    pace = Pace(concurrency, retry=RetryPolicy(tries=3, first_wait=0))
    gateway = Gateway(ScriptedClient(server.answer), journal, pace=pace, budget=budget)
    with gateway, suppress(Halt):  # a cap; or a server of which nothing was ever heard
        assert len(gateway.ask([request(n) for n in range(20)])) == 20
    assert calls is None or server.calls <= calls
    assert tokens is None or server.tokens <= tokens
    assert cost is None or server.cost <= cost
    assert budget.spent.within(caps)
    assert budget.spent.calls >= server.calls
    # What a resumed run reads from the journal is what was spent.
    again = Budget(caps, PRICES, WORDS)
    for record in journal.records():
        again.count(record)
    assert again.spent == budget.spent


def test_a_cap_that_the_calls_fit_is_no_obstacle():
    server = CountingServer([], PROMPT_TOKENS)
    most = 20 * (PROMPT_TOKENS + 20)
    budget = Budget(Caps(20, most, PRICES.cost(20 * PROMPT_TOKENS, 400)), PRICES, WORDS)
    with Gateway(ScriptedClient(server.answer), MemoryJournal(), pace=Pace(64), budget=budget) as gateway:
        assert len(gateway.ask([request(n) for n in range(20)])) == 20
    assert server.calls == 20


def test_replies_shorter_than_reserved_leave_room_for_others():
    """20 calls fit by what they take, though not by what they might: they wait for each other instead of giving up."""
    server = CountingServer([], PROMPT_TOKENS)
    budget = Budget(Caps(tokens=20 * (PROMPT_TOKENS + 5) + 15), PRICES, WORDS)
    with Gateway(
        ScriptedClient(server.answer, pause=0.001), MemoryJournal(), pace=Pace(64), budget=budget
    ) as gateway:
        assert len(gateway.ask([request(n) for n in range(20)])) == 20


def test_an_estimate_is_not_trusted_with_money():
    """Where the vocabulary is unknown a prompt is reserved by its bytes."""
    server = CountingServer([], 25)  # a tokenizer that makes a token of every byte, and marks around them
    budget = Budget(Caps(tokens=500), None, ESTIMATE)
    with (
        Gateway(ScriptedClient(server.answer), MemoryJournal(), pace=Pace(64), budget=budget) as gateway,
        pytest.raises(BudgetReached),
    ):
        gateway.ask([request(n) for n in range(100)])
    assert 0 < server.tokens <= 500


def test_without_a_cap_unknown_usage_is_a_guess_and_an_unknown_price_stays_unknown():
    client = ScriptedClient(lambda request: Completion("a b c", "stop", Usage(None, None), "m"))
    for prices, cost in ((PRICES, PRICES.cost(PROMPT_TOKENS, 3)), (None, None)):
        budget = Budget(Caps(), prices, WORDS)
        with Gateway(client, MemoryJournal(), budget=budget) as gateway:
            gateway.ask([request(1)])
        assert (budget.spent.tokens, budget.spent.cost) == (PROMPT_TOKENS + 3, cost)


def test_a_cap_that_cannot_be_kept_is_refused():
    with pytest.raises(ClientSetupError, match=r"users\.prices"):
        Budget(Caps(cost=Decimal(1)), None, WORDS)
    budget = Budget(Caps(tokens=1000), None, WORDS)
    with pytest.raises(ClientSetupError, match="max_tokens"):
        asyncio.run(budget.reserve(ask_for("u1")))
