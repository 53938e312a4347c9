from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm import CallError, RetryPolicy
from agents.llm.retry import retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 13:00:30 +0100"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "later"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_is_read_in_its_three_forms(headers, seconds):
    assert retry_after(headers, NOW) == seconds


@given(st.text())
def test_no_header_value_is_an_error(value):
    seconds = retry_after({"retry-after": value, "retry-after-ms": value})
    assert seconds is None or seconds >= 0


def attempts_under(policy: RetryPolicy, error: CallError) -> tuple[int, float]:
    """How often a call that always fails is tried, and for how many seconds."""
    tries = 0

    async def fail():
        nonlocal tries
        tries += 1
        raise error

    start = time.perf_counter()
    with pytest.raises(CallError):
        asyncio.run(policy.answered(fail))
    return tries, time.perf_counter() - start


def test_tries_are_capped_and_a_final_error_is_not_tried_again():
    policy = RetryPolicy(tries=3, first_wait=0.001)
    assert attempts_under(policy, CallError("busy", retryable=True))[0] == 3
    assert attempts_under(policy, CallError("no such model", retryable=False))[0] == 1


def test_a_program_fault_is_not_retried():
    async def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(RetryPolicy().answered(broken))


def test_a_wait_that_the_server_asks_for_is_kept_even_beyond_the_longest_own_wait():
    policy = RetryPolicy(tries=2, first_wait=0.001, longest_wait=0.001)
    tries, seconds = attempts_under(policy, CallError("busy", retryable=True, retry_after=0.1))
    assert tries == 2
    assert seconds >= 0.1


def test_a_wait_beyond_the_time_limit_ends_the_call_at_once():
    tries, seconds = attempts_under(
        RetryPolicy(seconds=1), CallError("busy", retryable=True, retry_after=3600)
    )
    assert tries == 1
    assert seconds < 1


def test_a_policy_without_tries_is_refused():
    with pytest.raises(ValueError, match="tries"):
        RetryPolicy(tries=0)


def test_a_call_that_is_answered_at_last_gives_its_answer():
    outcomes = [CallError("busy", retryable=True), CallError("busy", retryable=True), "yes"]

    async def attempt():
        outcome = outcomes.pop(0)
        if isinstance(outcome, CallError):
            raise outcome
        return outcome

    assert asyncio.run(RetryPolicy(first_wait=0.001).answered(attempt)) == "yes"
    assert outcomes == []


def test_the_time_of_the_first_attempt_counts():
    tries = 0

    async def slow():
        nonlocal tries
        tries += 1
        await asyncio.sleep(0.2)
        raise CallError("no answer", retryable=True)

    with pytest.raises(CallError):
        asyncio.run(RetryPolicy(seconds=0.1, first_wait=0.001).answered(slow))
    assert tries == 1
