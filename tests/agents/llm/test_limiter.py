"""As many calls at once as the server bears, and no more in a minute than allowed."""

import asyncio

import pytest
from aiolimiter import AsyncLimiter
from hypothesis import given
from hypothesis import strategies as st
from llm_doubles import ask_for

from agents.llm.limiter import AdaptiveConcurrency, PerMinute
from agents.llm.types import ClientSetupError


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def answered(limiter, count):
    for _ in range(count):
        limiter.answered()


def test_it_doubles_with_every_wave_of_answers_until_the_most():
    limiter = AdaptiveConcurrency(512)
    limits = []
    for _ in range(6):
        limits.append(limiter.limit)
        answered(limiter, int(limiter.limit))
    assert limits == [32, 64, 128, 256, 512, 512]


def test_a_server_that_is_overrun_cuts_once_a_second_and_growth_is_slow_after():
    clock = Clock()
    limiter = AdaptiveConcurrency(512, first=100, clock=clock)
    for _ in range(50):  # sent together, turned away together
        limiter.failed(429)
    assert limiter.limit == pytest.approx(80)
    clock.now += 1.1
    limiter.failed(503)
    assert limiter.limit == pytest.approx(64)
    answered(limiter, 64)
    assert limiter.limit == pytest.approx(65, abs=0.1)


@pytest.mark.parametrize("status", [None, 400, 401, 500, 502])
def test_other_failures_say_nothing_of_load(status):
    limiter = AdaptiveConcurrency(64)
    limiter.failed(status)
    assert limiter.limit == 32


@given(st.lists(st.sampled_from(["answered", 429, 503, "second"]), max_size=300), st.integers(1, 40))
def test_the_limit_stays_between_one_and_the_most(events, most):
    clock = Clock()
    limiter = AdaptiveConcurrency(most, clock=clock)
    for event in events:
        if event == "answered":
            limiter.answered()
        elif event == "second":
            clock.now += 1
        else:
            limiter.failed(event)
        assert 1 <= limiter.limit <= most


@given(st.integers(1, 5), st.integers(1, 30), st.sets(st.integers(0, 29)))
def test_no_more_hold_a_slot_than_the_limit_and_a_cancelled_wait_leaves_none_behind(most, callers, cancelled):
    async def scenario():
        limiter = AdaptiveConcurrency(most)
        running = peak = done = 0

        async def call():
            nonlocal running, peak, done
            async with limiter.slot():
                running += 1
                peak = max(peak, running)
                try:
                    await asyncio.sleep(0)
                    done += 1
                finally:
                    running -= 1

        tasks = [asyncio.create_task(call()) for _ in range(callers)]
        await asyncio.sleep(0)
        for place in cancelled & set(range(callers)):
            tasks[place].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(1), limiter.slot():
            pass
        return peak, done, sum(isinstance(result, asyncio.CancelledError) for result in results)

    peak, done, given_up = asyncio.run(scenario())
    assert peak <= most
    assert done + given_up == callers


def waits(monkeypatch, limits, requests):
    """How often each request had to wait."""
    asked = []

    async def acquire(self, amount=1):
        asked.append((self.max_rate, self.time_period, amount))

    monkeypatch.setattr(AsyncLimiter, "acquire", acquire)

    async def all_of_them():
        per_minute = PerMinute(*limits)
        for request in requests:
            await per_minute.wait(request)

    asyncio.run(all_of_them())
    return asked


def test_requests_and_tokens_of_a_minute(monkeypatch):
    request = ask_for("u1", text="x" * 280, max_tokens=50)  # about 100 tokens, and what the chat format adds
    asked = waits(monkeypatch, (7, 1000), [request])
    assert (7, 60, 1) in asked
    ((rate, period, tokens),) = [each for each in asked if each[0] == 1000]
    assert (rate, period) == (1000, 60)
    assert 150 <= tokens <= 165
    assert waits(monkeypatch, (None, None), [request]) == []


def test_a_call_that_no_minute_has_room_for_is_refused_and_never_waits_for_ever():
    with pytest.raises(ClientSetupError, match=r"users\.tokens_per_minute"):
        asyncio.run(PerMinute(None, 40).wait(ask_for("u1", max_tokens=50)))


def test_the_minute_is_kept_by_the_clock():
    async def scenario():
        per_minute = PerMinute(requests=3)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3):
            await per_minute.wait(ask_for("u"))
        at_once = loop.time() - began
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await per_minute.wait(ask_for("u"))
        return at_once

    assert asyncio.run(scenario()) < 0.2
