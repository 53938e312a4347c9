"""Exchanges with the server, tried again as calls are; batches go on without us, so that it may be out of reach for long."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from agents.llm.halt import EndpointRefuses
from agents.llm.types import CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agents.llm.retry import RetryPolicy

_T = TypeVar("_T")


@dataclass(frozen=True)
class Waiting:
    """How long batches are waited for, in seconds."""

    poll: float = 30.0
    """Between two looks at a batch."""
    silence: float = 3600.0
    """A server that was heard before may be unreachable for so long."""


class Patience:
    """Makes exchanges under a retry policy, and knows how long the server has been silent."""

    def __init__(self, retry: RetryPolicy, waiting: Waiting) -> None:
        self._retry, self._waiting = retry, waiting
        self._heard: float | None = None
        """When the server last answered."""

    async def made(self, exchange: Callable[[], Awaitable[_T]]) -> _T:
        """What an exchange brings; CallError if it fails, for good or after all its tries."""
        tries = 0

        async def attempt() -> _T:
            nonlocal tries
            tries += 1
            result = await exchange()
            self._heard = time.monotonic()
            return result

        try:
            return await self._retry.answered(attempt)
        except CallError as failure:
            said = f"{failure} (given up after {tries} tries)" if failure.retryable else str(failure)
            raise CallError(said, retryable=failure.retryable, status=failure.status) from None

    async def needed(self, exchange: Callable[[], Awaitable[_T]]) -> _T:
        """What an exchange brings without which the run cannot go on: EndpointRefuses if it fails."""
        try:
            return await self.made(exchange)
        except CallError as failure:
            raise EndpointRefuses(str(failure)) from None

    def lasts(self, failure: CallError) -> bool:
        """Whether what failed may be tried again later: the server was heard, and that is not too long ago."""
        if not failure.retryable or self._heard is None:
            return False
        return time.monotonic() - self._heard < self._waiting.silence
