"""World: one round = propose -> observe -> ask -> decide -> refine -> record -> learn."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import mesa

from simulator.attendance import Attendance, accepted_share
from simulator.cast import Cast
from simulator.party import Party
from simulator.scenario.living import Population

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from agents.llm.record import Record
    from agents.llm.types import Request
    from simulator.cast import Casting, Note, Waiting
    from simulator.proposing import Proposer
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Turn


STILL = Population()
"""Everybody is there, always."""


_ELSEWHERE = "a world without `ask` has its users played by others"


class World(mesa.Model):
    """A population in front of a recommender. Nothing in it depends on the order or the time calls finish in.

    It says who is there, what is proposed to them, and what their turns come to for all. Who plays the users is not its business:
    with `ask` they are a cast of its own; without, others take what `deal` gives, and bring what `settled` takes.
    """

    def __init__(
        self,
        casting: Casting,
        proposer: Proposer,
        ask: Callable[[Sequence[Request]], Sequence[Record]] | None = None,
        first_round: int = 1,
        population: Population = STILL,
    ) -> None:
        """`population` says who is there in a round."""
        super().__init__(seed=casting.rules.seed)
        self.phase = casting.phase
        self.round = first_round - 1
        """The newest that has begun."""
        self._present: dict[tuple[str, int], Sequence[str]] | None = None
        """Who is there in it, until something is proposed to them."""
        self.latest: list[Turn] = []
        """Turns of the newest round, but for those that were taken away."""
        self._proposer, self._ask = proposer, ask
        self._reflecting = casting.script.reflecting
        self._cast = None if ask is None else Cast(casting)
        self._users: dict[tuple[str, int], list[str]] = defaultdict(list)
        arrivals: dict[tuple[str, int], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for member in casting.members:
            self._users[member.arm, member.replicate].append(member.user_id)
            arrivals[member.arm, member.replicate][member.newcomer].append(member.user_id)
        self.attendance = {
            (arm, replicate): Attendance(population, casting.rules.seed, replicate, *users)
            for (arm, replicate), users in arrivals.items()
        }
        """Who is there, by arm and replicate."""
        self._offered: deque[Proposal] = deque()
        """Of this round, what nobody was asked about yet."""
        self._shares: dict[tuple[str, int], list[tuple[str, float | None]]] = defaultdict(list)
        self._counts = _Counts()
        self._accepted: dict[tuple[str, int, str], list[str]] = defaultdict(list)
        self._shown: dict[tuple[str, int, str], list[str]] = defaultdict(list)
        self.datacollector = mesa.DataCollector(
            model_reporters={
                "turns": lambda _: self._counts.turns,
                "acceptance": lambda _: _share(self._counts.accepted, self._counts.proposed),
                "statuses": lambda _: dict(self._counts.statuses),
                "satisfaction": lambda _: _mean(each.contentment for each in self.attendance.values()),
                "retention": lambda _: _mean(each.retention for each in self.attendance.values()),
            }
        )

    def begin(self) -> Mapping[tuple[str, int], Sequence[str]]:
        """Who is there in the next round, by arm and replicate. `deal` begins it by itself; begun before, it can be looked at
        before anything is proposed. The round before is over.
        """
        if self._present is None:
            self.round += 1
            self.latest, self._counts = [], _Counts()
            self._present = {group: self.attendance[group].present(self.round) for group in self._users}
        return self._present

    def added(self, arm: str, replicate: int, user: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the rounds so far added: items that the user accepted of what it was shown, and all that it was shown."""
        key = arm, replicate, user
        return tuple(self._accepted[key]), tuple(self._shown[key])

    def step(self) -> None:
        """One round for every user that is there; arms, replicates and users always in the order they were given."""
        assert self._ask is not None, _ELSEWHERE
        self.settle(self._ask(self.observe()))

    def observe(self, most: int | None = None) -> list[Request]:
        """What the own cast is asked about what is proposed to it, `most` turns of it at once (see `deal`)."""
        return self._own.observe(self.deal(most))

    def settle(self, records: Sequence[Record]) -> list[Turn]:
        """What comes of the answers to the last `observe`, one for each request; with the last of them the round is over."""
        turns = self._own.settle(records)
        self.settled(turns)
        return turns

    def waiting(self) -> list[Waiting]:
        """Of the own cast, what waits for its answers."""
        return self._own.waiting()

    def reflect(self) -> list[Request]:
        """What the own cast is asked to sum up with, one call for each turn of the round."""
        return self._own.reflect()

    def summed_up(self, records: Sequence[Record]) -> None:
        """What comes of the answers to `reflect`: later rounds tell of it, and the turns say whether there was a note."""
        self.reflected(self._own.reflected(records))

    @property
    def _own(self) -> Cast:
        assert self._cast is not None, _ELSEWHERE
        return self._cast

    def deal(self, most: int | None = None) -> list[Proposal]:
        """What is proposed to whoever is there, `most` turns of it at once: a round is dealt and settled bit by bit.

        With nothing left of a round a new one begins. What a turn comes to does not depend on `most`.
        """
        if not self._offered:
            present, self._present = self.begin(), None
            self._offered.extend(
                proposal for group, users in present.items() for proposal in self._propose(*group, users)
            )
        size = len(self._offered) if most is None else min(most, len(self._offered))
        return [self._offered.popleft() for _ in range(size)]

    @property
    def unfinished(self) -> int:
        """Turns of this round that were not dealt yet."""
        return len(self._offered)

    def settled(self, turns: Sequence[Turn]) -> None:
        """The turns of what was dealt last, in its order; with the last of them the round is over."""
        for turn in turns:
            self._counts.add(turn)
            self._shares[turn.arm, turn.replicate].append((turn.user_id, accepted_share(turn)))
            # What was shown is not shown again; what was accepted of it joins the history, marked as simulated.
            user = turn.arm, turn.replicate, turn.user_id
            self._shown[user].extend(turn.final)
            self._accepted[user].extend(item for item in turn.final if item in turn.accepted)
        self.latest.extend(turns)
        if not self._offered:
            for group, shares in self._shares.items():
                self.attendance[group].settle(shares)
            self._shares.clear()
            self.datacollector.collect(self)

    def take(self) -> list[Turn]:
        """The turns of this round that are settled, which are not kept here any longer."""
        taken, self.latest = self.latest, []
        return taken

    def reflects(self, number: int) -> bool:
        """Whether users are to sum up after round `number`."""
        return self._reflecting is not None and number % self._reflecting.every == 0

    def reflected(self, notes: Sequence[Note]) -> None:
        """What came of summing up, for each turn of the round: the turns say whether there was a note."""
        self.latest = [
            replace(turn, reflection=note.key, noted=note.noted)
            for turn, note in zip(self.latest, notes, strict=True)
        ]

    def _propose(self, arm: str, replicate: int, present: Sequence[str]) -> list[Proposal]:
        users, attendance = self._users[arm, replicate], self.attendance[arm, replicate]
        accepted = {user: self._accepted[arm, replicate, user] for user in users}
        shown = {user: self._shown[arm, replicate, user] for user in users}
        party = Party(arm, self.phase, replicate, self.round, present, accepted, shown)
        proposals = self._proposer.propose(party)
        for proposal in proposals:
            if not proposal.items:
                attendance.exhausted(proposal.user_id)
        return [proposal for proposal in proposals if proposal.items]


@dataclass
class _Counts:
    """Of a round, as far as it has come."""

    turns: int = 0
    accepted: int = 0
    proposed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, turn: Turn) -> None:
        self.turns += 1
        self.accepted += len(turn.accepted)
        self.proposed += len(turn.slate)
        self.statuses[turn.status] += 1


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
