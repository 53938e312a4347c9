"""Many requests at once on one event loop: bounded in number, single flight, and nothing handed out unkept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agents.llm.halt import Halt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor

    from agents.llm.record import Record
    from agents.llm.types import Request


@dataclass(frozen=True)
class Steps:
    """What a fan-out does with each request, given by its owner."""

    key: Callable[[Request], str]
    known: Callable[[str], Record | None]
    """The record of a call that has already ended."""
    answer: Callable[[str, Request], Awaitable[Record]]
    """Makes the call. A call that fails is a record too; Halt ends the asking once what is under way has ended, and any
    other exception is a fault of the program and ends all at once."""
    keep: Callable[[Sequence[Record]], None]
    """Makes records durable; blocks, and runs on the one thread of `Fanout`'s executor."""
    done: Callable[[Record], None]
    """Told once for each request, after its record is kept."""


@dataclass
class Fanout:
    """Answers `requests` with at most `concurrency` calls in flight; an object serves once.

    Workers take the next request as soon as they are free and do not wait for the disk: ended calls go to a queue,
    and one task keeps all that have gathered there at once, so a slow fsync costs latency, not throughput. As many calls
    as may be in flight may wait to be kept, and no more: a crash loses no more answers than those.
    A request whose key is already in flight makes no call; it gets the record of the one that does.
    """

    requests: Sequence[Request]
    steps: Steps
    concurrency: int
    executor: Executor
    """Has one thread, so that what is kept is kept in one order."""
    _records: dict[int, Record] = field(default_factory=dict, init=False)
    _in_flight: dict[str, list[int]] = field(default_factory=dict, init=False)
    """Places in `requests` that wait for a key."""
    _ended: list[Record] = field(default_factory=list, init=False)
    """Calls that ended and are not yet taken to be kept."""
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Something ended, or everything."""
    _kept: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _all_ended: bool = field(default=False, init=False)
    _halt: Halt | None = field(default=None, init=False)

    async def run(self) -> list[Record]:
        """The records in the order of the requests. If it is interrupted, calls that have ended are still kept.

        Raises Halt, once all calls under way have ended and are kept, if no further one may be sent.
        """
        todo = enumerate(self.requests)

        async def work() -> None:
            for place, request in todo:
                if self._halt is not None:
                    return
                try:
                    await self._take(place, request)
                except Halt as halt:
                    self._halt = halt

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_ended())
                workers = [
                    group.create_task(work()) for _ in range(min(self.concurrency, len(self.requests)))
                ]
                await asyncio.wait(workers)
                self._all_ended = True
                self._news.set()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            if self._ended:
                self.executor.submit(self.steps.keep, self._ended).result()
        if self._halt is not None:
            raise self._halt
        return [self._records[place] for place in range(len(self.requests))]

    async def _take(self, place: int, request: Request) -> None:
        key = self.steps.key(request)
        if key in self._in_flight:
            self._in_flight[key].append(place)
        elif (record := self.steps.known(key)) is not None:
            self._hand_out(place, record)
        else:
            self._in_flight[key] = [place]
            record = await self.steps.answer(key, request)
            self._ended.append(record)
            self._news.set()
            while len(self._ended) > self.concurrency:
                self._kept.clear()
                await self._kept.wait()

    async def _keep_ended(self) -> None:
        loop = asyncio.get_running_loop()
        while self._ended or not self._all_ended:
            if not self._ended:
                self._news.clear()
                await self._news.wait()
                continue
            batch, self._ended = self._ended, []
            # Shielded: once handed over, a batch is written even if this task is cancelled meanwhile.
            await asyncio.shield(loop.run_in_executor(self.executor, self.steps.keep, batch))
            self._kept.set()
            for kept in batch:
                for place in self._in_flight.pop(kept.key):
                    self._hand_out(place, kept)

    def _hand_out(self, place: int, record: Record) -> None:
        self._records[place] = record
        self.steps.done(record)
