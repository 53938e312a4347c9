"""Plays the users of a run in shards, each in an actor, and puts what they come to back into the planned order."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.embedded.client import EmbeddedClient
from agents.llm import Endpoint
from agents.llm.purse import NOTHING
from simulator.cluster.actors import Actors, start_keeper
from simulator.cluster.connecting import connected
from simulator.cluster.journals import gather
from simulator.cluster.shard import Setting, SharedLine
from simulator.lines import make_budgets
from simulator.players import SummedUp, Told
from simulator.sending import CACHE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agents.llm import Budget, Record
    from simulator.cast import Casting, Member, Note
    from simulator.lines import Line
    from simulator.players import Advance
    from simulator.sending import Sending
    from simulator.study import Study
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.journal import CallJournal
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Turn


class Cluster:
    """Players in actors. A user is in the same shard in all arms, replicates and rounds: by its place among the users of the run.

    So calls that arms have in common meet in one journal, and are made once.
    """

    def __init__(self, actors: Actors, users: Sequence[str], budgets: Sequence[Budget]) -> None:
        """`users` of the run, in their order; `budgets` are told what the actors spend."""
        self._actors, self._budgets = actors, budgets
        self._shards = {user: place % len(actors) for place, user in enumerate(users)}
        self._homes: dict[str, list[int]] = {}
        """Of the last that was dealt, the shard of each turn, by arm."""

    def enter(self, castings: Mapping[str, Casting]) -> None:
        """As all players. What all shards share is in the object store once, and each shard's users for themselves."""
        shared = self._actors.put({name: replace(each, members=()) for name, each in castings.items()})
        members: list[dict[str, list[Member]]] = [{name: [] for name in castings} for _ in self._each]
        for name, casting in castings.items():
            for member in casting.members:
                members[self._shards[member.user_id]][name].append(member)
        self._actors.begin_phase([(shared, self._actors.put(own)) for own in members])

    def play(self, dealt: Mapping[str, Sequence[Proposal]], advance: Advance) -> dict[str, Told]:
        """As all players."""
        parts: list[dict[str, list[Proposal]]] = [{name: [] for name in dealt} for _ in self._each]
        self._homes = {
            name: [self._shards[proposal.user_id] for proposal in proposals]
            for name, proposals in dealt.items()
        }
        for name, proposals in dealt.items():
            for proposal, home in zip(proposals, self._homes[name], strict=True):
                parts[home][name].append(proposal)
        told = self._asked("play", [(self._actors.put(part),) for part in parts], advance)
        merged: dict[str, Told] = {}
        for name, homes in self._homes.items():
            turns: list[Iterator[Turn]] = [iter(each[name].turns) for each in told]
            merged[name] = Told([next(turns[home]) for home in homes], _records(told, name))
        return merged

    def sum_up(self, arms: Sequence[str], advance: Advance) -> dict[str, SummedUp]:
        """As all players."""
        told = self._asked("sum_up", [(list(arms),)] * len(self._actors), advance)
        merged: dict[str, SummedUp] = {}
        for name in arms:
            notes: list[Iterator[Note]] = [iter(each[name].notes) for each in told]
            merged[name] = SummedUp([next(notes[home]) for home in self._homes[name]], _records(told, name))
        return merged

    @property
    def _each(self) -> range:
        return range(len(self._actors))

    def _asked(self, method: str, arguments: Sequence[tuple[Any, ...]], advance: Advance) -> list[Any]:
        try:
            return self._actors.each(method, arguments, advance)
        finally:
            if self._budgets:
                self._budgets[0].purse.spent = self._actors.spent()


def _records(told: Sequence[Mapping[str, Any]], name: str) -> list[Record]:
    """Of all shards; their order says nothing."""
    return [record for each in told for record in each[name].records]


@contextmanager
def open_cluster(
    study: Study,
    lines: Sequence[Line],
    directory: RunDirectory,
    journal: CallJournal,
    sending: Sending,
    tell: Callable[[str], None],
) -> Iterator[tuple[Cluster, list[Budget]]]:
    """Players in actors for the time of a run, and what all of them may spend together.

    After it, however it ends, all calls that had ended are in calls.jsonl. `journal` is that file's, read for what was spent before.
    """
    engine = study.scenario.engine
    budgets = make_budgets(lines, sending.caps)
    paid = [budget for budget in budgets if budget is not None]
    for record in journal.records() if paid else ():
        for line, budget in zip(lines, budgets, strict=True):
            if budget is not None and (len(lines) == 1 or line.owns(record)):
                budget.count(record)
    minutes = [(line.users.requests_per_minute, line.users.tokens_per_minute) for line in lines]
    directory.shards.mkdir(exist_ok=True)
    with ExitStack() as stack:
        stack.callback(gather, directory)
        stack.callback(_close_clients, lines)
        ray = stack.enter_context(connected(engine))
        keeper = None
        if paid or any(any(limits) for limits in minutes):
            spent = paid[0].purse.spent if paid else NOTHING
            in_flight = sum(line.users.concurrency for line in lines)
            keeper = start_keeper(ray, sending.caps, spent, minutes, calls_in_flight=in_flight)
        setting = Setting(
            study.scenario,
            tuple(map(_shared, lines)),
            study.label,
            directory.calls.resolve(),
            directory.shards.resolve(),
            replace(sending, recording=None if sending.recording is None else sending.recording.resolve()),
            os.environ.get(CACHE_VARIABLE),
            tuple(str(Path(path).resolve()) for path in sys.path),
            engine.actors,
        )
        actors = Actors(ray, setting, keeper, tell)
        stack.callback(actors.close)
        told = ", ".join(f"{number} on {host}" for number, (host, _) in enumerate(actors.places))
        tell(f"users are shared among {engine.actors} actors: {told}")
        yield Cluster(actors, _users(study), paid), paid


def _users(study: Study) -> list[str]:
    ids = study.prepared.split.dataset.users["user_id"]
    users: list[str] = ids.iloc[study.conditions[0].audience.everyone].tolist()
    return users


def _shared(line: Line) -> SharedLine:
    client = line.client
    embedded = client if isinstance(client, EmbeddedClient) else None
    return SharedLine(embedded, Endpoint.of(client), line.model, line.users, line.arms)


def _close_clients(lines: Sequence[Line]) -> None:
    """Of the driver, which made them to see early whether they can be made, and asked them nothing."""

    async def close() -> None:
        for client in {id(line.client): line.client for line in lines}.values():
            await client.aclose()

    asyncio.run(close())
