"""One call from start to end: answers at hand, then the client with retries, ending in a record whatever happens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agents.llm.halt import EndpointRefuses, Halt
from agents.llm.limiter import AdaptiveConcurrency, PerMinute
from agents.llm.record import Attempt, Record
from agents.llm.retry import RetryPolicy
from agents.llm.types import CallError, Completion, NoLogprobsError, check_logprobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.llm.budget import Account
    from agents.llm.record import Answers
    from agents.llm.types import ChatClient, Request

SETUP_STATUSES = frozenset({401, 402, 403, 404, 429})
"""A final failure with one of these is about the key, the model or the quota: the next call would fail alike."""
_REFUSALS_TO_STOP = 3


@dataclass(frozen=True)
class Pace:
    """How fast calls may go; whatever it is, the answers are the same."""

    concurrency: int = 16
    """Calls under way at once, at most."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Of prompts and of the longest replies allowed, about."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        for name in ("concurrency", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")


class Caller:
    """Makes calls through `client`; shared by all calls of a run.

    It stops sending once it is plain that no call can succeed: after the first refusal (key, model, quota) as long as
    nothing was answered yet, after three in a row later on; likewise where log probabilities are needed and none are given;
    after three rejected requests in a row (400) as long as nothing was answered; and after the first call that was given up as long as nothing was ever heard of the server.
    """

    def __init__(
        self,
        client: ChatClient,
        at_hand: Sequence[Answers],
        pace: Pace,
        budget: Account | None,
        minute: PerMinute | None = None,
    ) -> None:
        """`minute` is what many callers share; the pace's own if not given."""
        self._client, self._at_hand = client, at_hand
        self._retry, self._budget = pace.retry, budget
        self._limiter = AdaptiveConcurrency(pace.concurrency)
        self._minute = minute or PerMinute(pace.requests_per_minute, pace.tokens_per_minute)
        self.halt: Halt | None = None
        """Why no further call is sent, if so."""
        self._was_heard = False
        """Whether the server ever said anything, be it that it is busy."""
        self._was_answered = False
        self._refused_in_a_row = 0

    async def answer(self, key: str, request: Request, before: Sequence[Attempt] = ()) -> Record:
        """The record of this call; `before` are the tries of an earlier, failed one that is made again.

        Raises Halt if it cannot be begun, since a cap is reached or since an earlier call showed that none can succeed.
        """
        if (record := self.at_hand(key, request, before)) is not None:
            return record
        started, clock = _now(), time.perf_counter()
        attempts = list(before)
        async with self._limiter.slot():
            if self.halt is not None:
                raise self.halt
            completion, error = await self._try(request, attempts)
        seconds = round(time.perf_counter() - clock, 6)
        halting = error is not None and self.halt is not None
        return Record(
            key, request, tuple(attempts), completion, error, "client", started, seconds, halting=halting
        )

    def at_hand(self, key: str, request: Request, before: Sequence[Attempt] = ()) -> Record | None:
        """The record of this call if its answer is at hand."""
        started, clock = _now(), time.perf_counter()
        for answers in self._at_hand:
            if (completion := answers.get(key)) is not None:
                seconds = round(time.perf_counter() - clock, 6)
                return Record(key, request, tuple(before), completion, None, answers.source, started, seconds)
        return None

    async def _try(self, request: Request, attempts: list[Attempt]) -> tuple[Completion | None, str | None]:
        """A completion, or why there is none; every attempt is added to `attempts`."""
        first = len(attempts)

        async def attempt() -> Completion:
            return await self._attempt(request, attempts)

        try:
            completion = await self._retry.answered(attempt)
        except CallError as failure:
            self._note_failure(failure)
            tries = len(attempts) - first
            return None, f"{failure} (given up after {tries} tries)" if failure.retryable else str(failure)
        except Halt as halt:
            self.halt = self.halt or halt
            if len(attempts) == first:
                raise
            return None, f"{attempts[-1].error} (not tried again: {halt})"
        self._was_answered, self._refused_in_a_row = True, 0
        self._limiter.answered()
        return completion, None

    async def _attempt(self, request: Request, attempts: list[Attempt]) -> Completion:
        """One try, within the budget and the limits of a minute."""
        budget = self._budget
        reserved = await budget.reserve(request) if budget is not None else None
        outcome: Completion | CallError | None = None
        clock = time.perf_counter()
        try:
            await self._minute.wait(request)
            clock = time.perf_counter()
            outcome = await self._client.complete(request)
            check_logprobs(request, outcome)
        except CallError as failure:
            outcome = failure
            self._limiter.failed(failure.status)
            raise
        finally:
            error, status = (str(outcome), outcome.status) if isinstance(outcome, CallError) else (None, None)
            self._was_heard |= status is not None or isinstance(outcome, Completion)
            attempts.append(Attempt(error, status, round(time.perf_counter() - clock, 6)))
            if budget is not None and reserved is not None:
                budget.settle(request, reserved, outcome)
        return outcome

    def _note_failure(self, failure: CallError) -> None:
        if failure.retryable:
            hopeless = not self._was_heard
        else:
            self._refused_in_a_row += 1
            often = self._refused_in_a_row >= _REFUSALS_TO_STOP
            if failure.status in SETUP_STATUSES or isinstance(failure, NoLogprobsError):
                hopeless = not self._was_answered or often
            else:  # one prompt may be too long; that all of the first ones are rejected is the run's fault
                hopeless = not self._was_answered and often
        if hopeless and self.halt is None:
            self.halt = EndpointRefuses(str(failure))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
