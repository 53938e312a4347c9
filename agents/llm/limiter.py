"""How many calls are under way at once, and how many a minute."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiolimiter import AsyncLimiter

from agents.llm.tokens import token_counter
from agents.llm.types import ClientSetupError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from agents.llm.types import Request

_FIRST = 32
_SHRINK = 0.8
_DEBOUNCE_SECONDS = 1.0
_THROTTLED = frozenset({429, 503})


class AdaptiveConcurrency:
    """As many calls at once as the server bears, at most `most`.

    Every answer raises the limit by one, which doubles it in the time of one call, until the server first says that it
    is too much (429, 503). That cuts the limit to .8, once a second at most, since calls that were sent together are
    turned away together; from then on a limit's worth of answers raises it by one. Cached answers are no evidence.
    """

    def __init__(
        self, most: int, *, first: int = _FIRST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = float(min(first, most))
        self._most = most
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._doubling = True
        self._cut_at = -_DEBOUNCE_SECONDS
        self._clock = clock

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the calls that may be under way."""
        if self._running < int(self.limit) and not self._waiting:
            self._running += 1
        else:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # the slot was handed over in the same moment
                    self._leave()
                raise
        try:
            yield
        finally:
            self._leave()

    def answered(self) -> None:
        """The server answered a call."""
        self.limit = min(self._most, self.limit + (1.0 if self._doubling else 1.0 / self.limit))
        self._admit()

    def failed(self, status: int | None) -> None:
        """An attempt failed; counts if it was turned away for load."""
        if status in _THROTTLED and self._clock() - self._cut_at >= _DEBOUNCE_SECONDS:
            self._cut_at = self._clock()
            self._doubling = False
            self.limit = max(1.0, self.limit * _SHRINK)

    def _leave(self) -> None:
        self._running -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._running < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)


class PerMinute:
    """At most so many requests and so many tokens in any minute; None is no limit."""

    def __init__(self, requests: int | None = None, tokens: int | None = None) -> None:
        self._requests = AsyncLimiter(requests, 60) if requests is not None else None
        self._tokens = AsyncLimiter(tokens, 60) if tokens is not None else None

    async def wait(self, request: Request) -> None:
        """Wait until an attempt may be sent; ClientSetupError if it never may."""
        await self.acquire(self.measured(request))

    def measured(self, request: Request) -> int:
        """Tokens that an attempt may take, 0 where they are not limited; ClientSetupError if a minute never has so many."""
        if self._tokens is None:
            return 0
        tokens = token_counter(request.model).longest(request)
        if tokens > self._tokens.max_rate:
            raise ClientSetupError(
                f"one call takes about {tokens} tokens, more than users.tokens_per_minute allows in a minute "
                f"({self._tokens.max_rate:g}); raise it, or lower max_tokens or prompts.memory_tokens"
            )
        return tokens

    async def acquire(self, tokens: int) -> None:
        """Wait until an attempt of so many tokens may be sent."""
        if self._tokens is not None:
            await self._tokens.acquire(tokens)
        if self._requests is not None:
            await self._requests.acquire()
