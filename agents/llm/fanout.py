"""Many requests at once on one event loop: bounded concurrency, single flight, and nothing handed out unkept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    """Makes the call. A call that fails is a record too; an exception is a fault of the program and ends all."""
    keep: Callable[[Sequence[Record]], None]
    """Makes records durable; blocks, and runs on the one thread of `Fanout`'s executor."""
    done: Callable[[Record], None]
    """Told once for each request, after its record is kept."""


@dataclass
class Fanout:
    """Answers `requests` with at most `concurrency` calls in flight; an object serves once.

    Workers take the next request as soon as they are free and never wait for the disk: ended calls go to a queue,
    and one task keeps all that have gathered there at once, so a slow fsync costs latency, not throughput.
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
    _ended: asyncio.Queue[Record | None] = field(default_factory=asyncio.Queue, init=False)
    """Calls that ended and are not yet kept; None after the last."""

    async def run(self) -> list[Record]:
        """The records in the order of the requests. If it is interrupted, calls that have ended are still kept."""
        todo = enumerate(self.requests)

        async def work() -> None:
            for place, request in todo:
                await self._take(place, request)
                await asyncio.sleep(0)  # a client that never waits must not keep its answers from being kept

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_ended())
                workers = [
                    group.create_task(work()) for _ in range(min(self.concurrency, len(self.requests)))
                ]
                await asyncio.wait(workers)
                self._ended.put_nowait(None)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            if unkept := self._gathered():
                self.executor.submit(self.steps.keep, unkept).result()
        return [self._records[place] for place in range(len(self.requests))]

    async def _take(self, place: int, request: Request) -> None:
        key = self.steps.key(request)
        if key in self._in_flight:
            self._in_flight[key].append(place)
        elif (record := self.steps.known(key)) is not None:
            self._hand_out(place, record)
        else:
            self._in_flight[key] = [place]
            self._ended.put_nowait(await self.steps.answer(key, request))

    async def _keep_ended(self) -> None:
        loop = asyncio.get_running_loop()
        while (record := await self._ended.get()) is not None:
            batch = [record, *self._gathered()]
            # Shielded: once handed over, a batch is written even if this task is cancelled meanwhile.
            await asyncio.shield(loop.run_in_executor(self.executor, self.steps.keep, batch))
            for kept in batch:
                for place in self._in_flight.pop(kept.key):
                    self._hand_out(place, kept)

    def _gathered(self) -> list[Record]:
        """Everything that has ended and is not yet taken to be kept; leaves the end mark where it is."""
        batch: list[Record] = []
        while not self._ended.empty():
            record = self._ended.get_nowait()
            if record is None:
                self._ended.put_nowait(None)
                break
            batch.append(record)
        return batch

    def _hand_out(self, place: int, record: Record) -> None:
        self._records[place] = record
        self.steps.done(record)
