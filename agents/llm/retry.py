"""When a failed attempt is made again, and after how long."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_before_delay

from agents.llm.types import CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tenacity import RetryCallState

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential waits with jitter; a server that says how long to wait is obeyed; capped in tries and in time."""

    tries: int = 6
    """Attempts of one call in all."""
    seconds: float = 300.0
    """No attempt starts later than this after the first."""
    first_wait: float = 0.5
    """Seconds before the second attempt, doubled from there on; each wait is drawn from its upper half."""
    longest_wait: float = 30.0
    """Limit in seconds of the doubling. It does not shorten what a server asks for."""

    def __post_init__(self) -> None:
        if self.tries < 1 or min(self.seconds, self.first_wait, self.longest_wait) < 0:
            raise ValueError(f"{self}: tries must be at least 1 and times not negative")

    async def answered(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` returns, made again as long as the policy says; raises the CallError of the last one."""
        began = time.monotonic()
        try:
            return await attempt()
        except CallError as error:
            first: CallError | None = error

        async def next_attempt() -> T:
            nonlocal first
            if first is not None:
                error, first = first, None
                raise error
            return await attempt()

        # Only now, its first attempt being the one that failed: tenacity's bookkeeping is a fifth of the processor time of a
        # call, and most calls need none.
        loop = AsyncRetrying(
            stop=stop_after_attempt(self.tries) | stop_before_delay(self.seconds - time.monotonic() + began),
            wait=self._wait,
            retry=retry_if_exception(_is_retryable),
            reraise=True,
        )
        result: T = await loop(next_attempt)
        return result

    def _wait(self, state: RetryCallState) -> float:
        backoff = min(self.longest_wait, self.first_wait * 2.0 ** (state.attempt_number - 1))
        asked = _asked_wait(state)
        # Callers that were turned away together must not come back together, hence jitter on both.
        return (
            random.uniform(backoff / 2, backoff) if asked is None else asked + random.uniform(0, backoff / 2)
        )


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, CallError) and error.retryable


def _asked_wait(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.retry_after if isinstance(error, CallError) else None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds a server asks to wait: `retry-after-ms`, or `retry-after` as seconds or as an HTTP date (RFC 9110).

    `headers` must find names in any case (or hold them in lower case). None if nothing usable is said; never
    negative.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    if date.tzinfo is None:  # "-0000", the one form that parses without a zone, means UTC
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
