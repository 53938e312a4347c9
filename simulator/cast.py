"""Users on the stage: what they are asked about their slates, and what becomes of what they say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import mesa

from agents.asking import USABLE
from agents.encounters import Encounter
from agents.user import UserAgent
from simulator.refinement import Answer, RefinementError, Replace, preference_levels, repair_generator
from simulator.transcript.parts import FAILED, part_of
from simulator.transcript.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.llm.record import Record
    from agents.llm.types import Request
    from agents.memory import Memory
    from agents.persona import Persona
    from agents.reply import Verdict
    from agents.user import Script
    from simulator.planting import Planting
    from simulator.refinement import Refinement
    from simulator.transcript.proposals import Proposal


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


@dataclass(frozen=True)
class Casting:
    """What the users of one arm and phase are made of."""

    members: Sequence[Member]
    phase: str
    titles: Mapping[str, str]
    """By item id."""
    script: Script
    nulls: Mapping[str, EmbeddedClient]
    rules: Rules
    labels: tuple[str, str]
    """Names of data and client that every turn carries."""
    names: Mapping[str, str] | None = None
    """By item id, what users are told of items where that is not the title."""
    planting: Planting | None = None
    """Knows which item is planted among them, and under which title."""


class Note(NamedTuple):
    """What came of the call in which a user summed up."""

    key: str
    noted: bool
    """Whether later rounds tell of it."""


class Waiting(NamedTuple):
    """A user that was asked and has not answered."""

    proposal: Proposal
    titles: Mapping[str, str]
    """What it is told that the items are called, by item id."""
    requests: tuple[Request, ...]


class Cast(mesa.Model):
    """The users of one arm and phase, or some of them. What one does depends on no other, so that they may be anywhere."""

    def __init__(self, casting: Casting) -> None:
        super().__init__(seed=casting.rules.seed)
        self._casting, self._script, self._rules = casting, casting.script, casting.rules
        self._names = casting.titles if casting.names is None else casting.names
        self._templates = casting.script.hashes()
        self._members: dict[tuple[str, int, str], tuple[UserAgent, Member]] = {
            (each.arm, each.replicate, each.user_id): (
                UserAgent(self, each.arm, each.user_id, each.persona, each.memory, casting.script),
                each,
            )
            for each in casting.members
        }
        self._open: list[tuple[UserAgent, Member, Proposal, Sequence[Request]]] = []
        """What was asked and not answered."""
        self._told: list[tuple[UserAgent, Proposal]] = []
        """Of the last that was proposed, what was answered and may be summed up."""
        self._shown: dict[UserAgent, list[str]] = defaultdict(list)

    def observe(self, proposals: Sequence[Proposal]) -> list[Request]:
        """What users are asked about what is proposed to them; all that a round proposes, where they sum it up."""
        self._open, self._told = [], []
        for proposal in proposals:
            agent, member = self._members[proposal.arm, proposal.replicate, proposal.user_id]
            requests = agent.observe(
                tuple(self._called(agent, item) for item in proposal.items),
                proposal.round,
                proposal.replicate,
                tuple(self._casting.titles[item] for item in proposal.items),
            )
            self._open.append((agent, member, proposal, requests))
        return [request for *_, requests in self._open for request in requests]

    def waiting(self) -> list[Waiting]:
        """What waits for its answers."""
        return [
            Waiting(proposal, {item: self._called(agent, item) for item in proposal.items}, tuple(requests))
            for agent, _, proposal, requests in self._open
        ]

    def settle(self, records: Sequence[Record]) -> list[Turn]:
        """What comes of the answers to the last `observe`, one for each request."""
        left, turns = iter(records), list[Turn]()
        for agent, member, proposal, requests in self._open:
            turn = self._turn(agent, member, proposal, requests, list(islice(left, len(requests))))
            turns.append(turn)
            self._learn(agent, turn)
            agent.forget_offers()
            if self._script.reflecting is not None:
                self._told.append((agent, proposal))
        self._open = []
        return turns

    def reflect(self) -> list[Request]:
        """What users are asked to sum up with, one call for each turn of the round."""
        return [agent.reflect(proposal.round, proposal.replicate) for agent, proposal in self._told]

    def reflected(self, records: Sequence[Record]) -> list[Note]:
        """What comes of the answers to `reflect`: later rounds tell of it."""
        return [
            Note(record.key, agent.reflected(record.completion, proposal.round))
            for (agent, proposal), record in zip(self._told, records, strict=True)
        ]

    def _turn(
        self,
        agent: UserAgent,
        member: Member,
        proposal: Proposal,
        requests: Sequence[Request],
        records: Sequence[Record],
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
        for name, null_user in self._casting.nulls.items():
            said_by_null = agent.decide_as(null_user, requests)
            nulls_accepted[name] = said_by_null.accepted
            null_levels = self._levels(proposal, said_by_null)
            nulls[name] = Replace().refine(scores, null_levels, n) if null_levels else own
        data, client = self._casting.labels
        ratings, planting = member.ratings, self._casting.planting

        def items(places: Sequence[int]) -> tuple[str, ...]:
            return tuple(map(slate.__getitem__, places))

        return Turn(
            arm=agent.arm,
            phase=self._casting.phase,
            replicate=proposal.replicate,
            round=proposal.round,
            user_id=agent.user_id,
            data=data,
            client=client,
            slate=slate,
            scores=scores,
            shown=items(agent.order),
            targets=tuple(item for item in member.targets if item not in self._shown[agent]),
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
            planted=None if planting is None else planting.item(agent.user_id),
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
        agent.remember(tuple(self._called(agent, item) for item in accepted), self._encounter(agent, turn))

    def _called(self, agent: UserAgent, item: str) -> str:
        """What the user is told that an item is called."""
        planting = self._casting.planting
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
