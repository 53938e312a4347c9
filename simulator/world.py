"""World: one round = propose -> observe -> ask -> decide -> refine -> record -> learn."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import mesa

from agents.asking import USABLE
from agents.encounters import Encounter
from agents.user import UserAgent
from simulator.attendance import Attendance, accepted_share
from simulator.refinement import Answer, RefinementError, Replace, preference_levels, repair_generator
from simulator.scenario.living import Population
from simulator.transcript.parts import FAILED, part_of
from simulator.transcript.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.llm.record import Record
    from agents.llm.types import Request
    from agents.memory import Memory
    from agents.persona import Persona
    from agents.reply import Verdict
    from agents.user import Script
    from simulator.planting import Planting
    from simulator.proposing import Proposer
    from simulator.refinement import Refinement
    from simulator.transcript.proposals import Proposal


STILL = Population()
"""Everybody is there, always."""


@dataclass(frozen=True)
class Member:
    """One user of the population in one arm."""

    arm: str
    user_id: str
    persona: Persona
    memory: Memory
    targets: tuple[str, ...]
    """Held-out item ids; only metrics and the oracle may look."""
    ratings: Mapping[str, float] = field(default_factory=dict)
    """Of held-out items and known negatives, by item id; only metrics may look."""
    replicate: int = 0
    """How often the same user was put into the arm before."""
    newcomer: bool = False
    """Whether it joins later."""


@dataclass(frozen=True)
class Rules:
    """What happens to the answers."""

    n: int
    refinement: Refinement
    repair: str
    """What becomes of candidates that a ranking leaves out: append, random, drop (see preference_levels)."""
    seed: int


class World(mesa.Model):
    """A population in front of a recommender. Nothing in it depends on the order or the time calls finish in."""

    def __init__(
        self,
        members: Sequence[Member],
        phase: str,
        titles: Mapping[str, str],
        script: Script,
        proposer: Proposer,
        ask: Callable[[Sequence[Request]], Sequence[Record]],
        nulls: Mapping[str, EmbeddedClient],
        rules: Rules,
        labels: tuple[str, str],
        first_round: int = 1,
        names: Mapping[str, str] | None = None,
        planting: Planting | None = None,
        population: Population = STILL,
    ) -> None:
        """`titles` by item id, `labels` are the names of data and client that every turn carries.

        `names`, by item id, is what users are told of items where that is not the title; `planting` knows which item is planted
        among them, and under which title; `population` says who is there in a round.
        """
        super().__init__(seed=rules.seed)
        self.phase = phase
        self.round = first_round - 1
        """The newest that has begun."""
        self._present: dict[tuple[str, int], Sequence[str]] | None = None
        """Who is there in it, until something is proposed to them."""
        self.latest: list[Turn] = []
        """Turns of the newest round, but for those that were taken away."""
        self._titles, self._script, self._proposer, self._ask = titles, script, proposer, ask
        self._names = titles if names is None else names
        self._planting = planting
        self._templates = script.hashes()
        self._nulls, self._rules, self._labels = nulls, rules, labels
        self._targets: dict[UserAgent, tuple[str, ...]] = {}
        self._ratings: dict[UserAgent, Mapping[str, float]] = {}
        self._population: dict[tuple[str, int], dict[str, UserAgent]] = defaultdict(dict)
        arrivals: dict[tuple[str, int], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for member in members:
            agent = UserAgent(self, member.arm, member.user_id, member.persona, member.memory, script)
            self._targets[agent] = member.targets
            self._ratings[agent] = member.ratings
            self._population[member.arm, member.replicate][member.user_id] = agent
            arrivals[member.arm, member.replicate][member.newcomer].append(member.user_id)
        self.attendance = {
            (arm, replicate): Attendance(population, rules.seed, replicate, *users)
            for (arm, replicate), users in arrivals.items()
        }
        """Who is there, by arm and replicate."""
        self._offered: deque[tuple[UserAgent, Proposal]] = deque()
        """Of this round, what nobody was asked about yet."""
        self._open: list[tuple[UserAgent, Proposal, Sequence[Request]]] = []
        """What was asked and not answered."""
        self._told: list[tuple[UserAgent, Proposal]] = []
        """Of this round, what was answered and may be summed up."""
        self._shares: dict[tuple[str, int], list[tuple[str, float | None]]] = defaultdict(list)
        self._counts = _Counts()
        self._accepted: dict[UserAgent, list[str]] = defaultdict(list)
        self._shown: dict[UserAgent, list[str]] = defaultdict(list)
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
        """Who is there in the next round, by arm and replicate. `observe` begins it by itself; begun before, it can be looked at
        before anything is proposed. The round before is over.
        """
        if self._present is None:
            self.round += 1
            self.latest, self._told, self._counts = [], [], _Counts()
            self._present = {group: self.attendance[group].present(self.round) for group in self._population}
        return self._present

    def added(self, arm: str, replicate: int, user: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the rounds so far added: items that the user accepted of what it was shown, and all that it was shown."""
        agent = self._population[arm, replicate][user]
        return tuple(self._accepted[agent]), tuple(self._shown[agent])

    def step(self) -> None:
        """One round for every user that is there; arms, replicates and users always in the order they were given."""
        self.settle(self._ask(self.observe()))

    def observe(self, most: int | None = None) -> list[Request]:
        """What users are asked about what is proposed to them, `most` turns of it at once: a round is observed and settled bit by bit.

        With nothing left of a round a new one begins. What a turn comes to does not depend on `most`.
        """
        if not self._offered:
            present, self._present = self.begin(), None
            self._offered.extend(
                pair for group, users in present.items() for pair in self._propose(*group, users)
            )
        size = len(self._offered) if most is None else min(most, len(self._offered))
        self._open = []
        for _ in range(size):
            agent, proposal = self._offered.popleft()
            requests = agent.observe(
                tuple(self._called(agent, item) for item in proposal.items),
                self.round,
                proposal.replicate,
                tuple(self._titles[item] for item in proposal.items),
            )
            self._open.append((agent, proposal, requests))
        return [request for *_, requests in self._open for request in requests]

    @property
    def asked(self) -> int:
        """Turns that wait for their answers."""
        return len(self._open)

    @property
    def unfinished(self) -> int:
        """Turns of this round that nobody was asked for yet."""
        return len(self._offered)

    def settle(self, records: Sequence[Record]) -> list[Turn]:
        """What comes of the answers to the last `observe`, one for each request; with the last of them the round is over."""
        left, turns = iter(records), list[Turn]()
        keep = self._script.reflecting is not None
        for agent, proposal, requests in self._open:
            turn = self._turn(agent, proposal, requests, list(islice(left, len(requests))))
            turns.append(turn)
            self._counts.add(turn)
            self._shares[turn.arm, turn.replicate].append((turn.user_id, accepted_share(turn)))
            self._learn(agent, turn)
            agent.forget_offers()
            if keep:
                self._told.append((agent, proposal))
        self._open = []
        self.latest.extend(turns)
        if not self._offered:
            for group, shares in self._shares.items():
                self.attendance[group].settle(shares)
            self._shares.clear()
            self.datacollector.collect(self)
        return turns

    def take(self) -> list[Turn]:
        """The turns of this round that are settled, which are not kept here any longer."""
        taken, self.latest = self.latest, []
        return taken

    def reflects(self, number: int) -> bool:
        """Whether users are to sum up after round `number`."""
        reflecting = self._script.reflecting
        return reflecting is not None and number % reflecting.every == 0

    def reflect(self) -> list[Request]:
        """What users are asked to sum up with, one call for each turn of the round."""
        return [agent.reflect(self.round, proposal.replicate) for agent, proposal in self._told]

    def reflected(self, records: Sequence[Record]) -> None:
        """What comes of the answers to `reflect`: later rounds tell of it, and the turns say whether there was a note."""
        self.latest = [
            replace(turn, reflection=record.key, noted=agent.reflected(record.completion, self.round))
            for (agent, _), turn, record in zip(self._told, self.latest, records, strict=True)
        ]

    def _propose(self, arm: str, replicate: int, present: Sequence[str]) -> list[tuple[UserAgent, Proposal]]:
        agents, attendance = self._population[arm, replicate], self.attendance[arm, replicate]
        proposals = self._proposer.propose(
            arm,
            self.phase,
            replicate,
            self.round,
            present,
            {user: self._accepted[agent] for user, agent in agents.items()},
            {user: self._shown[agent] for user, agent in agents.items()},
        )
        for proposal in proposals:
            if not proposal.items:
                attendance.exhausted(proposal.user_id)
        offered = zip(present, proposals, strict=True)
        return [(agents[user], proposal) for user, proposal in offered if proposal.items]

    def _turn(
        self, agent: UserAgent, proposal: Proposal, requests: Sequence[Request], records: Sequence[Record]
    ) -> Turn:
        slate, scores, n = proposal.items, proposal.scores, self._rules.n
        # Intent to treat: without a usable answer the recommender's own list is shown, and the turn says so.
        own = tuple(range(min(n, len(slate))))
        decision = agent.decide([record.completion for record in records])
        verdict, asking = decision.verdict, self._script.asking
        levels = self._levels(proposal, verdict)
        final = self._refined(scores, levels) if levels else own
        alone = Replace().refine(scores, levels, n) if levels else own
        nulls, nulls_accepted = {}, {}
        for name, null_user in self._nulls.items():
            said_by_null = agent.decide_as(null_user, requests)
            nulls_accepted[name] = said_by_null.accepted
            null_levels = self._levels(proposal, said_by_null)
            nulls[name] = Replace().refine(scores, null_levels, n) if null_levels else own
        data, client = self._labels
        ratings = self._ratings[agent]

        def items(places: Sequence[int]) -> tuple[str, ...]:
            return tuple(map(slate.__getitem__, places))

        return Turn(
            arm=agent.arm,
            phase=self.phase,
            replicate=proposal.replicate,
            round=proposal.round,
            user_id=agent.user_id,
            data=data,
            client=client,
            slate=slate,
            scores=scores,
            shown=items(agent.order),
            targets=tuple(item for item in self._targets[agent] if item not in self._shown[agent]),
            status=verdict.status.value if verdict else FAILED,
            ranking=items(verdict.ranking) if verdict else (),
            accepted=items(verdict.accepted) if verdict else (),
            rejected=items(verdict.rejected) if verdict else (),
            undecided=items(verdict.undecided) if verdict else (),
            missing=len(verdict.missing) if verdict else 0,
            duplicate=verdict.duplicate if verdict else 0,
            unknown=len(verdict.unknown) if verdict else 0,
            ambiguous=len(verdict.ambiguous) if verdict else 0,
            unknown_names=verdict.unknown if verdict else (),
            fallback=levels is None,
            final=items(final),
            alone=items(alone),
            nulls={name: items(places) for name, places in nulls.items()},
            nulls_accepted={name: items(places) for name, places in nulls_accepted.items()},
            ratings={item: ratings[item] for item in slate if item in ratings},
            templates=self._templates,
            request=records[0].key,
            error=records[0].error if verdict is None else None,
            ask=asking.way,
            threshold=asking.threshold if asking.way == "pointwise" else None,
            planted=None if self._planting is None else self._planting.item(agent.user_id),
            sources=proposal.sources,
            parts=()
            if asking.way == "listwise"
            else tuple(
                part_of(record.key, record.error, reading, slate)
                for record, reading in zip(records, decision.readings, strict=True)
            ),
        )

    def _levels(self, proposal: Proposal, verdict: Verdict | None) -> tuple[tuple[int, ...], ...] | None:
        """The levels of preference that a verdict gives; None where there is nothing usable."""
        if verdict is None or verdict.status not in USABLE:
            return None
        answer = Answer(verdict.ranking, verdict.accepted, verdict.undecided, verdict.rejected)
        draw = partial(repair_generator, self._rules.seed, proposal)
        return preference_levels(answer, len(proposal.items), self._rules.repair, draw)

    def _refined(self, scores: tuple[float, ...], levels: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
        """What the policy gives; RefinementError if that is no list of different places of the slate."""
        policy, size = self._rules.refinement, len(scores)
        n = min(self._rules.n, size)
        final = policy.refine(scores, levels, n)
        if len(final) != n or len({*final} & {*range(size)}) != n:
            raise RefinementError(
                f"refinement.policy: {type(policy).__qualname__} gave {final}; a policy gives {n} different places of "
                f"the slate, from 0 to {size - 1}"
            )
        return final

    def _learn(self, agent: UserAgent, turn: Turn) -> None:
        """What was shown is not shown again; what was accepted of it joins memory and history, marked as simulated."""
        accepted = [item for item in turn.final if item in turn.accepted]
        self._shown[agent].extend(turn.final)
        self._accepted[agent].extend(accepted)
        agent.remember(tuple(self._called(agent, item) for item in accepted), self._encounter(agent, turn))

    def _called(self, agent: UserAgent, item: str) -> str:
        """What the user is told that an item is called."""
        planting = self._planting
        if planting is not None and item == planting.item(agent.user_id):
            return planting.called(self._names[item])
        return self._names[item]

    def _encounter(self, agent: UserAgent, turn: Turn) -> Encounter:
        """What the user knows of a round; where no answer came, that it was shown a slate and decided nothing."""
        accepted, rejected = frozenset(turn.accepted), frozenset(turn.rejected)

        def titles(items: Iterable[str]) -> tuple[str, ...]:
            return tuple(self._called(agent, item) for item in items)

        return Encounter(
            turn.round,
            accepted=titles(item for item in turn.shown if item in accepted),
            rejected=titles(item for item in turn.shown if item in rejected),
            undecided=titles(item for item in turn.shown if item not in accepted | rejected),
        )


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
