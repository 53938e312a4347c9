"""One call from start to end: cache, then the client with retries, ending in a record whatever happens."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agents.llm.record import Attempt, Record
from agents.llm.types import CallError

if TYPE_CHECKING:
    from agents.llm.cache import ResponseCache
    from agents.llm.record import Source
    from agents.llm.retry import RetryPolicy
    from agents.llm.types import ChatClient, Completion, Request

_SETUP_STATUSES = frozenset({401, 402, 403, 404, 429})
"""A final failure with one of these is about the key, the model or the quota: the next call would fail alike."""
_REFUSALS_TO_STOP = 3


class Caller:
    """Makes calls through `client`; shared by all calls of a run.

    It stops sending once it is plain that no call can succeed: after the first refusal (key, model, quota) or
    the first call that never reached the server, as long as nothing was answered yet; after three refusals in a
    row later on. The calls that are left then end at once in records that say so.
    """

    def __init__(self, client: ChatClient, cache: ResponseCache | None, retry: RetryPolicy) -> None:
        self.stopped: str | None = None
        """Why no further call is sent, if so."""
        self._client = client
        self._cache = cache
        self._retry = retry
        self._was_answered = False
        self._refused_in_a_row = 0

    async def answer(self, key: str, request: Request) -> Record:
        """The record of this call; only a fault of the program raises."""
        started, clock = datetime.now(UTC).isoformat(timespec="milliseconds"), time.perf_counter()
        attempts: list[Attempt] = []
        completion: Completion | None = None
        error: str | None = None
        source: Source = "client"
        if self._cache is not None and (completion := self._cache.get(key)) is not None:
            source = "cache"
        elif self.stopped is not None:
            error = f"not sent, since an earlier call showed that none can succeed: {self.stopped}"
        else:
            completion, error = await self._try(request, attempts)
        seconds = round(time.perf_counter() - clock, 6)
        return Record(key, request, tuple(attempts), completion, error, source, started, seconds)

    async def _try(self, request: Request, attempts: list[Attempt]) -> tuple[Completion | None, str | None]:
        """A completion, or why there is none; every attempt is added to `attempts`."""

        async def attempt() -> Completion:
            clock = time.perf_counter()
            error, status = None, None
            try:
                return await self._client.complete(request)
            except CallError as failure:
                error, status = str(failure), failure.status
                raise
            finally:
                attempts.append(Attempt(error, status, round(time.perf_counter() - clock, 6)))

        try:
            completion: Completion = await self._retry.retrying()(attempt)
        except CallError as failure:
            self._note_failure(failure)
            return None, f"{failure} (given up after {len(attempts)} tries)" if failure.retryable else str(
                failure
            )
        self._was_answered, self._refused_in_a_row = True, 0
        return completion, None

    def _note_failure(self, failure: CallError) -> None:
        if not failure.retryable and failure.status in _SETUP_STATUSES:
            self._refused_in_a_row += 1
            hopeless = not self._was_answered or self._refused_in_a_row >= _REFUSALS_TO_STOP
        else:
            hopeless = not self._was_answered and failure.retryable and failure.status is None
        if hopeless and self.stopped is None:
            self.stopped = str(failure)
