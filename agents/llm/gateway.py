"""The one way to a model: journal, answers at hand, single flight, budget, pace, client; every call ends in a record."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from agents.llm.batch.round import BatchRound, RoundSteps
from agents.llm.call import Caller, Pace
from agents.llm.fanout import Fanout, Steps
from agents.llm.key import Endpoint, request_key
from agents.llm.replay import ReplayMiss

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from types import TracebackType

    from agents.llm.batch.sender import BatchSender
    from agents.llm.budget import Account
    from agents.llm.cache import ResponseCache
    from agents.llm.halt import Halt
    from agents.llm.limiter import PerMinute
    from agents.llm.record import Answers, Attempt, Journal, Record
    from agents.llm.types import ChatClient, Request


class Gateway:
    """Answers requests and keeps a record of every call in `journal`.

    With a client it is live: what the journal holds is not asked again, except calls that had ended the sending and, with
    `retry_errors`, all that had failed before; then `at_hand` is asked (the cache, a recording); then the client, within
    `budget` and at `pace`, or, with a sender of `batches`, all together. New answers are put into `cache`. Without one, `endpoint` says whose calls are replayed from the
    journal: no socket is opened and no event loop started. The journal and the cache stay the caller's to close; the
    client is closed with the gateway. Use it as a context manager, from one thread.
    """

    def __init__(
        self,
        client: ChatClient | None,
        journal: Journal,
        *,
        endpoint: Endpoint | None = None,
        at_hand: Sequence[Answers] = (),
        cache: ResponseCache | None = None,
        pace: Pace | None = None,
        budget: Account | None = None,
        minute: PerMinute | None = None,
        batches: BatchSender | None = None,
        retry_errors: bool = False,
        owns: Callable[[Record], bool] | None = None,
        earlier: Iterable[Record] | None = None,
    ) -> None:
        """`minute`, the limits of a minute where many gateways share them, is the pace's own if not given.

        `owns` says which calls of the journal are this gateway's, and count in its budget, where several share it; None: all.
        `earlier` are the calls of the sessions before, where those of this one are in the journal too: they are not made again.
        """
        self._journal = journal
        self._live: _Live | None = None
        self._again: set[str] = set()
        if client is not None and endpoint is None:
            self.endpoint = Endpoint.of(client)
            awaited = set() if batches is None else batches.awaited()
            for record in journal.records() if earlier is None else earlier:
                if record.completion is None and (record.halting or retry_errors or record.key in awaited):
                    self._again.add(record.key)
                if budget is not None and (owns is None or owns(record)):
                    budget.count(record)
            caller = Caller(client, at_hand, pace or Pace(), budget, minute)
            self._live = _Live(client, caller, journal, cache, (pace or Pace()).concurrency, batches)
        elif client is None and endpoint is not None:
            self.endpoint = endpoint
        else:
            raise ValueError(
                "a live gateway takes a client, a replaying one the endpoint of the recorded run instead"
            )

    def ask(
        self, requests: Sequence[Request], on_done: Callable[[Record], None] | None = None
    ) -> list[Record]:
        """One record for each request, in the order given; a call that failed is a record with an error.

        `on_done` is told of each as it ends. Raises ReplayMiss in a replay that lacks a call; Halt where no further call may
        be sent (BudgetReached, EndpointRefuses), once those under way have ended; and what the journal raises if a record
        cannot be kept. After any of them, and after KeyboardInterrupt, all calls that had ended are in the journal.
        """
        done = on_done or _ignore
        if self._live is not None:
            return self._ask_live(self._live, requests, done)
        records = []
        for request in requests:
            key = self._key(request)
            record = self._known(key)
            if record is None:
                raise ReplayMiss(key, request, self._journal.records())
            records.append(record)
            done(record)
        return records

    def _ask_live(
        self, live: _Live, requests: Sequence[Request], done: Callable[[Record], None]
    ) -> list[Record]:
        if live.batches is None:
            steps = Steps(self._key, self._known, self._answer, live.keep, done)
            return live.ask(requests, steps)
        together = RoundSteps(self._key, self._known, self._at_hand, self._before, live.keep, done)
        return live.ask_together(requests, together, live.batches)

    def stop(self, halt: Halt) -> None:
        """Send no further call: `ask` raises `halt` once those under way have ended. From any thread."""
        if self._live is not None:
            self._live.caller.halt = self._live.caller.halt or halt

    def cancel(self) -> None:
        """Give up the calls under way: `ask` raises CancelledError, and what had ended is kept. From any thread."""
        if self._live is not None:
            self._live.cancel()

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
        if key in self._again:
            return None
        record = self._journal.get(key)
        return None if record is None else replace(record, source="journal")

    async def _answer(self, key: str, request: Request) -> Record:
        assert self._live is not None
        return await self._live.caller.answer(key, request, self._before(key))

    def _at_hand(self, key: str, request: Request) -> Record | None:
        assert self._live is not None
        failed = self._journal.get(key) if key in self._again else None
        return self._live.caller.at_hand(key, request, () if failed is None else failed.attempts)

    def _before(self, key: str) -> tuple[Attempt, ...]:
        """The tries of a call that had failed and is made again, once."""
        if key not in self._again:
            return ()
        self._again.discard(key)
        failed = self._journal.get(key)
        assert failed is not None
        return failed.attempts


class _Live:
    """What a gateway has only while it talks to a client: an event loop, and one thread that writes."""

    def __init__(
        self,
        client: ChatClient,
        caller: Caller,
        journal: Journal,
        cache: ResponseCache | None,
        concurrency: int,
        batches: BatchSender | None,
    ) -> None:
        self.caller, self.batches = caller, batches
        self._client, self._journal, self._cache, self._concurrency = client, journal, cache, concurrency
        self._runner = asyncio.Runner()
        self._asking: asyncio.Task[Any] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._closed = False

    def ask(self, requests: Sequence[Request], steps: Steps) -> list[Record]:
        if not requests:
            return []
        asking = Fanout(requests, steps, self._concurrency, self._writer).run()
        records = self._runner.run(self._cancellable(asking))
        if self.caller.halt is not None:
            raise self.caller.halt
        return records

    def ask_together(
        self, requests: Sequence[Request], steps: RoundSteps, batches: BatchSender
    ) -> list[Record]:
        try:
            return self._runner.run(BatchRound(requests, steps, batches, self._writer).run())
        except BaseException as error:
            for note in batches.under_way():
                error.add_note(note)
            raise

    async def _cancellable(self, asking: Coroutine[Any, Any, list[Record]]) -> list[Record]:
        self._asking = asyncio.current_task()
        try:
            return await asking
        finally:
            self._asking = None

    def cancel(self) -> None:
        if (asking := self._asking) is not None:
            self._runner.get_loop().call_soon_threadsafe(asking.cancel)

    def keep(self, records: Sequence[Record]) -> None:
        self._journal.append(records)
        if self._cache is not None:
            fresh = [
                (r.key, r.completion) for r in records if r.source != "cache" and r.completion is not None
            ]
            if fresh:
                self._cache.put(fresh)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._runner.run(self._client.aclose())
            if self.batches is not None:
                self._runner.run(self.batches.aclose())
        finally:
            self._runner.close()
            if self._cache is not None:
                self._writer.submit(self._cache.close)
            self._writer.shutdown()


def _ignore(record: Record) -> None:
    """The `on_done` of callers that give none."""
