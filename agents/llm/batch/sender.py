"""Batches from the plan to the record: submitted once whatever happens, waited for, and read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from agents.llm.batch.lines import Limits, input_files
from agents.llm.batch.outcomes import read_batch
from agents.llm.batch.patience import Patience, Waiting
from agents.llm.halt import EndpointRefuses, Halt
from agents.llm.purse import BudgetReached
from agents.llm.types import CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from agents.llm.batch.api import Batch, BatchApi
    from agents.llm.batch.ledger import BatchLedger, Planned
    from agents.llm.batch.lines import Call
    from agents.llm.budget import Budget
    from agents.llm.purse import Spent
    from agents.llm.record import Journal, Record
    from agents.llm.retry import RetryPolicy


@dataclass(frozen=True)
class _Running:
    """A batch at the server, and what is waited for of it."""

    planned: Planned
    id: str
    calls: Sequence[Call]
    reserved: Sequence[Spent]
    """For each call; empty without a budget."""


class BatchSender:
    """Has calls made in batches, and finds those again that an earlier process had sent.

    Before a batch is sent it is noted with a token, by which the server is asked for it wherever its answer was lost: neither
    a broken connection nor a crash makes two of one. `tell` is told what a person who waits wants to know.
    """

    def __init__(
        self,
        api: BatchApi,
        ledger: BatchLedger,
        journal: Journal,
        retry: RetryPolicy,
        budget: Budget | None,
        waiting: Waiting,
        tell: Callable[[str], None],
        limits: Limits | None = None,
    ) -> None:
        self._api, self._ledger, self._journal = api, ledger, journal
        self._patience, self._budget, self._waiting, self._tell = (
            Patience(retry, waiting),
            budget,
            waiting,
            tell,
        )
        self._limits = limits or Limits()
        self._running: list[_Running] = []
        self._told: dict[str, str] = {}

    def awaited(self) -> set[str]:
        """Keys of the calls that batches of an earlier process are to answer."""
        return {key for planned in self._ledger.open(self._journal) for key in planned.calls}

    def under_way(self) -> list[str]:
        """What goes on at the server although nobody waits for it any more."""
        return [
            f"batch {each.id} ({len(each.calls)} calls) goes on at the server and is paid for there; --resume collects its "
            "answers. If they are not wanted, cancel it there"
            for each in self._running
        ]

    async def aclose(self) -> None:
        """Release connections."""
        await self._api.aclose()

    async def send(self, calls: Sequence[Call], keep: Callable[[Sequence[Record]], Awaitable[None]]) -> None:
        """Have the calls made; every one that ends is given to `keep` as its record.

        Raises Halt: BudgetReached where not all of them may be sent, EndpointRefuses where the server takes none. Batches that
        were submitted before a refusal are left to the server (`under_way`) and collected when the run is resumed.
        """
        new = await self._found_again({call.key: call for call in calls})
        fitting, reserved = self._fitting(new)
        done = 0
        for part, content in input_files(fitting, self._limits):
            held = reserved[done : done + len(part)]
            done += len(part)
            self._running.append(await self._submitted(part, content, held))
        await self._collected(keep)
        if len(fitting) < len(new):
            await self._stop(new[len(fitting)], len(new) - len(fitting))

    async def _found_again(self, calls: dict[str, Call]) -> list[Call]:
        """Waits for what was sent before; the calls that have to be sent."""
        for planned in self._ledger.open(self._journal):
            own = [calls[key] for key in planned.calls if key in calls]
            if not own:
                continue
            server_id = planned.id
            if server_id is None and (batch := await self._looked_for(planned)) is not None:
                server_id = self._ledger.submitted(planned, batch.id).id
            if server_id is None:
                self._ledger.end(planned, "never sent")
                continue
            for call in own:
                del calls[call.key]
            held = [] if self._budget is None else [self._budget.commit(call.request) for call in own]
            self._tell(f"batch {server_id} was sent before: {len(own)} of its calls are waited for")
            self._running.append(_Running(planned, server_id, own, held))
        return list(calls.values())

    async def _looked_for(self, planned: Planned) -> Batch | None:
        """The batch of a plan of which it is not known whether it was sent."""
        for look in (1, 2):  # a batch that was sent in the last moment may be listed a moment later
            if look == 2:
                await asyncio.sleep(self._waiting.poll)
            found = await self._patience.needed(partial(self._api.find, planned.token, planned.started))
            if found is not None:
                return found
        return None

    def _fitting(self, calls: Sequence[Call]) -> tuple[Sequence[Call], list[Spent]]:
        """As many of the calls as the budget has room for, and what is reserved for each."""
        if self._budget is None:
            return calls, []
        reserved: list[Spent] = []
        for call in calls:
            held = self._budget.reserve_now(call.request)
            if held is None:
                break
            reserved.append(held)
        return calls[: len(reserved)], reserved

    async def _submitted(self, calls: Sequence[Call], content: bytes, reserved: Sequence[Spent]) -> _Running:
        planned = self._ledger.plan(calls)
        in_doubt = False

        async def create() -> Batch:
            nonlocal in_doubt
            found = await self._api.find(planned.token, planned.started) if in_doubt else None
            try:
                return found or await self._api.create(file, planned.token)
            except CallError as failure:
                # Where an answer was lost, the batch may be there.
                in_doubt |= failure.retryable
                raise

        try:
            file = await self._patience.made(
                partial(self._api.upload, content, f"screentest-{planned.token}.jsonl")
            )
            batch = await self._patience.made(create)
        except CallError as failure:
            if not in_doubt:
                self._ledger.end(planned, "refused")
            raise EndpointRefuses(str(failure)) from None
        self._ledger.submitted(planned, batch.id)
        self._tell(f"batch {batch.id}: {len(calls)} calls sent, answered within 24 hours")
        return _Running(planned, batch.id, calls, reserved)

    async def _collected(self, keep: Callable[[Sequence[Record]], Awaitable[None]]) -> None:
        """Wait for every batch that runs, and keep what came of it."""
        halt: Halt | None = None
        while self._running:
            for running in list(self._running):
                batch = await self._looked_at(running)
                if batch is not None and batch.has_ended:
                    halt = await self._read(running, batch, keep) or halt
                    self._running.remove(running)
            if self._running:
                await asyncio.sleep(self._waiting.poll)
        if halt is not None:
            raise halt

    async def _looked_at(self, running: _Running) -> Batch | None:
        """How a batch stands; None where the server could not be asked now and will be asked again."""
        try:
            batch = await self._patience.made(partial(self._api.retrieve, running.id))
        except CallError as failure:
            if self._patience.lasts(failure):
                self._tell(f"batch {running.id}: not to be asked for at present ({failure})")
                return None
            raise EndpointRefuses(str(failure)) from None
        ended = batch.completed + batch.failed
        said = f"{batch.status}, {ended} of {batch.total} done" if batch.total else batch.status
        if self._told.get(running.id) != said:
            self._told[running.id] = said
            self._tell(f"batch {running.id}: {said}")
        return batch

    async def _read(
        self, running: _Running, batch: Batch, keep: Callable[[Sequence[Record]], Awaitable[None]]
    ) -> Halt | None:
        """Keep a record of each call of a batch that has ended; why no further one should be sent, if so."""
        if batch.completed and batch.output_file is None:
            raise EndpointRefuses(
                f"batch {batch.id} is {batch.status} with {batch.completed} answers, but the server names no file of them; "
                "look at it there, and resume the run to look again"
            )
        files = [
            await self._patience.needed(partial(self._api.content, name))
            for name in (batch.output_file, batch.error_file)
            if name is not None
        ]
        seconds = max(0.0, (datetime.now(UTC) - running.planned.started).total_seconds())
        outcome = read_batch(self._api, batch, running.calls, files, running.planned.started, seconds)
        for warning in outcome.warnings:
            self._tell(f"batch {batch.id}: {warning}")
        if self._budget is not None:
            for record, reserved in zip(outcome.records, running.reserved, strict=True):
                self._budget.close(record, reserved)
        await keep(outcome.records)
        self._ledger.end(running.planned, batch.status)
        return None if outcome.refusal is None else EndpointRefuses(outcome.refusal)

    async def _stop(self, call: Call, left: int) -> None:
        """Raise BudgetReached: `left` calls, of which `call` is the first, were not sent."""
        assert self._budget is not None
        self._budget.release(await self._budget.reserve(call.request))
        raise BudgetReached(
            f"{left} calls were not sent: beside the batch there was no room for the most that each may take. What it took "
            "in fact leaves room for some of them when the run is resumed, a higher cap for more"
        )
