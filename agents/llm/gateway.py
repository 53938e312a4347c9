"""The one way to a model: journal, cache, single flight, concurrency, retry, client; every call ends in a record."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

from agents.llm.call import Caller
from agents.llm.fanout import Fanout, Steps
from agents.llm.key import Endpoint, public_url, request_key
from agents.llm.replay import ReplayMiss
from agents.llm.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from agents.llm.cache import ResponseCache
    from agents.llm.record import Journal, Record
    from agents.llm.types import ChatClient, Request


class Gateway:
    """Answers requests through `client` and keeps a record of every call in `journal`.

    `live` asks the client for what neither the journal nor the cache holds. `replay` takes no client: it reads the
    journal, opens no socket and starts no event loop; `endpoint` then says whose calls they were (a live gateway
    takes it from its client; write it down with the run). The journal and the cache stay the caller's to close;
    the client is closed with the gateway. Use it as a context manager, from one thread.
    """

    def __init__(
        self,
        client: ChatClient | None,
        journal: Journal,
        cache: ResponseCache | None = None,
        *,
        concurrency: int = 16,
        retry: RetryPolicy | None = None,
        mode: Literal["live", "replay"] = "live",
        endpoint: Endpoint | None = None,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be at least 1")
        if mode == "live" and client is not None and endpoint is None:
            self.endpoint = Endpoint(client.provider, public_url(client.base_url))
            self._live: _Live | None = _Live(client, journal, cache, concurrency, retry or RetryPolicy())
        elif mode == "replay" and client is None and endpoint is not None:
            self.endpoint = endpoint
            self._live = None
        else:
            raise ValueError(
                "a live gateway takes a client, a replaying one the endpoint of the recorded run instead"
            )
        self._journal = journal

    @property
    def stopped(self) -> str | None:
        """Why no further call is sent (a refused key, an unknown model, no quota, no server), if so."""
        return self._live.caller.stopped if self._live is not None else None

    def ask(
        self, requests: Sequence[Request], on_done: Callable[[Record], None] | None = None
    ) -> list[Record]:
        """One record for each request, in the order given; a call that failed is a record with an error.

        `on_done` is told of each as it ends. Raises ReplayMiss in a replay that lacks a call, and what the journal
        raises if a record cannot be kept. After KeyboardInterrupt all calls that had ended are in the journal.
        """
        done = on_done or _ignore
        if self._live is not None:
            return self._live.ask(requests, self._key, self._known, done)
        records = []
        for request in requests:
            key = self._key(request)
            record = self._known(key)
            if record is None:
                raise ReplayMiss(key, request, self._journal.records())
            records.append(record)
            done(record)
        return records

    def close(self) -> None:
        """Close the client and the event loop. Safe to call twice."""
        if self._live is not None:
            self._live.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _key(self, request: Request) -> str:
        return request_key(request, self.endpoint.provider, self.endpoint.base_url)

    def _known(self, key: str) -> Record | None:
        record = self._journal.get(key)
        return None if record is None else replace(record, source="journal")


class _Live:
    """What a gateway has only while it talks to a client: an event loop, and one thread that writes."""

    def __init__(
        self,
        client: ChatClient,
        journal: Journal,
        cache: ResponseCache | None,
        concurrency: int,
        retry: RetryPolicy,
    ) -> None:
        self.caller = Caller(client, cache, retry)
        self._client = client
        self._journal = journal
        self._cache = cache
        self._concurrency = concurrency
        self._runner = asyncio.Runner()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._closed = False

    def ask(
        self,
        requests: Sequence[Request],
        key: Callable[[Request], str],
        known: Callable[[str], Record | None],
        done: Callable[[Record], None],
    ) -> list[Record]:
        if not requests:
            return []
        steps = Steps(key=key, known=known, answer=self.caller.answer, keep=self._keep, done=done)
        return self._runner.run(Fanout(requests, steps, self._concurrency, self._writer).run())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._runner.run(self._client.aclose())
        finally:
            self._runner.close()
            if self._cache is not None:
                self._writer.submit(self._cache.close)
            self._writer.shutdown()

    def _keep(self, records: Sequence[Record]) -> None:
        self._journal.append(records)
        if self._cache is not None:
            fresh = [
                (r.key, r.completion) for r in records if r.source == "client" and r.completion is not None
            ]
            if fresh:
                self._cache.put(fresh)


def _ignore(record: Record) -> None:
    """The `on_done` of callers that give none."""
