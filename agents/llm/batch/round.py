"""A round sent in batches: what is known or at hand is taken, the rest goes together, nothing is handed out unkept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agents.llm.batch.lines import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from agents.llm.batch.sender import BatchSender
    from agents.llm.record import Attempt, Record
    from agents.llm.types import Request

_KEPT_AT_ONCE = 1000


@dataclass(frozen=True)
class RoundSteps:
    """What a round does with its requests, given by its owner."""

    key: Callable[[Request], str]
    known: Callable[[str], Record | None]
    """The record of a call that has already ended."""
    at_hand: Callable[[str, Request], Record | None]
    """The record of a call that need not be made."""
    before: Callable[[str], tuple[Attempt, ...]]
    """The tries of an earlier, failed call that is made again."""
    keep: Callable[[Sequence[Record]], None]
    """Makes records durable; blocks, and runs on the one thread of the executor."""
    done: Callable[[Record], None]
    """Told once for each request, after its record is kept."""


@dataclass
class BatchRound:
    """Answers `requests` through `sender`; an object serves once."""

    requests: Sequence[Request]
    steps: RoundSteps
    sender: BatchSender
    executor: Executor
    _records: dict[int, Record] = field(default_factory=dict, init=False)
    _places: dict[str, list[int]] = field(default_factory=dict, init=False)
    """Places in `requests` that wait for a key."""

    async def run(self) -> list[Record]:
        """The records in the order of the requests; Halt as `BatchSender.send` raises it, once what has ended is kept."""
        awaited = self.sender.awaited()
        calls: list[Call] = []
        found: list[Record] = []
        for place, request in enumerate(self.requests):
            key = self.steps.key(request)
            if key in self._places:
                self._places[key].append(place)
            elif (record := self.steps.known(key)) is not None:
                self._hand_out(place, record)
            else:
                self._places[key] = [place]
                # What a batch is already to answer is paid for, whoever else has an answer to it.
                record = None if key in awaited else self.steps.at_hand(key, request)
                if record is None:
                    calls.append(Call(key, request, self.steps.before(key)))
                else:
                    found.append(record)
        await self._keep(found)
        if calls:
            await self.sender.send(calls, self._keep)
        return [self._records[place] for place in range(len(self.requests))]

    async def _keep(self, records: Sequence[Record]) -> None:
        loop = asyncio.get_running_loop()
        for start in range(0, len(records), _KEPT_AT_ONCE):
            part = records[start : start + _KEPT_AT_ONCE]
            await asyncio.shield(loop.run_in_executor(self.executor, self.steps.keep, part))
            for record in part:
                for place in self._places.pop(record.key):
                    self._hand_out(place, record)

    def _hand_out(self, place: int, record: Record) -> None:
        self._records[place] = record
        self.steps.done(record)
