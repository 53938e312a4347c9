"""The phases of a run played to their end: a validation round where a weight is to be chosen, then the test rounds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from simulator.audience import item_names, make_members
from simulator.refinement import Fuse, Replace, choose_weight
from simulator.scenario.plan import VALIDATION_ROUND
from simulator.world import STILL, Rules, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.llm import Record, Request
    from recommender.stages import Stages
    from simulator.proposing import Proposer
    from simulator.refinement import ChosenWeight, Refinement
    from simulator.study import Condition, Study
    from simulator.transcript.turns import Turn


class Asks(Protocol):
    """What a game needs of a gateway."""

    def ask(
        self, requests: Sequence[Request], on_done: Callable[[Record], None] | None = None
    ) -> list[Record]:
        """A record for each request, in order; `on_done` is told of each as it ends."""
        ...


@dataclass(frozen=True)
class Side:
    """Who proposes to the users of an arm, and who answers for them."""

    proposer: Proposer
    gateway: Asks
    client: str
    """Label of who answers."""


@dataclass(frozen=True)
class Played:
    """How the answers of an arm were used in the test."""

    refinement: Refinement
    chosen: ChosenWeight | None
    """How the weight was chosen, where it was."""


class Gathers(Protocol):
    """What is told of turns and calls, in their order, as they come; a game keeps none of them."""

    def add(self, turns: Sequence[Turn], records: Sequence[Record]) -> None:
        """Turns that are over, and the records of calls since the last time."""
        ...


_AT_ONCE = 20_000
"""Turns that are asked at once at most: so many prompts and answers are held. More than any endpoint answers at once."""


class Game:
    """The phases of a run as they are played."""

    def __init__(
        self,
        study: Study,
        sides: Mapping[str, Side],
        stages: Stages,
        *,
        nulls: Mapping[str, EmbeddedClient] | None = None,
        at_once: int | None = _AT_ONCE,
    ) -> None:
        """`sides` by the name of the arm; `nulls` are the study's own if not given. `at_once` bounds memory and changes no turn."""
        self._gathers: Gathers | None = None
        self._at_once = at_once
        self._study, self._sides, self._stages = study, sides, stages
        self._nulls = study.nulls if nulls is None else nulls
        items = study.prepared.split.dataset.items
        self._ids = items["item_id"].tolist()
        self._titles = dict(zip(self._ids, items["title"], strict=True))

    def play_all(self, gathers: Gathers | None = None) -> dict[str, Played]:
        """Play every phase of every arm; by the arm's name, how its answers were used in the test."""
        self._gathers = gathers
        waiting = {each.name: Replace() for each in self._study.conditions if each.refinement is None}
        rehearsals = self._play("validation", waiting) if waiting else {}
        played = {condition.name: self._played(condition, rehearsals) for condition in self._study.conditions}
        self._play("test", {name: each.refinement for name, each in played.items()})
        return played

    def _played(self, condition: Condition, rehearsals: Mapping[str, list[Turn]]) -> Played:
        if condition.refinement is not None:
            return Played(condition.refinement, None)
        scenario = condition.scenario
        rehearsal = rehearsals[condition.name]
        chosen = choose_weight(rehearsal, scenario.n, scenario.refinement.repair, scenario.seed)
        return Played(Fuse(chosen.weight), chosen)

    def _play(self, phase: str, refinements: Mapping[str, Refinement]) -> dict[str, list[Turn]]:
        """Play a phase; of validation, the turns by arm. All arms go through a round together, so that their calls do."""
        rehearsal = phase == "validation"
        kept: dict[str, list[Turn]] = defaultdict(list)
        with self._stages.stage(f"audience, {phase}") as advance:
            worlds = {
                condition.name: self._world(condition, phase, refinements[condition.name])
                for condition in self._study.conditions
                if condition.name in refinements
            }
            rounds = 1 if rehearsal else self._study.scenario.rounds
            for number in range(1, rounds + 1):
                # After the last round nobody would be told of what was summed up.
                summing = {
                    name: each for name, each in worlds.items() if number < rounds and each.reflects(number)
                }
                for name, turns in self._round(worlds, summing, advance):
                    if rehearsal:
                        kept[name] += turns
        return kept

    def _round(
        self,
        worlds: Mapping[str, World],
        summing: Mapping[str, World],
        advance: Callable[[int, int, str], None],
    ) -> Iterator[tuple[str, list[Turn]]]:
        """The turns of a round by arm, gathered as they are over: a part of the round at a time, unless users sum it up."""
        waiting = list(worlds)
        records: list[Record] = []
        while waiting:
            room = None if summing else self._at_once
            asked: dict[str, list[Request]] = {}
            for name in waiting:
                if room is not None and room <= 0:
                    break
                asked[name] = worlds[name].observe(room)
                room = None if room is None else room - worlds[name].asked
            answered = self._ask(asked, advance)
            for name, own in answered.items():
                worlds[name].settle(own)
                records += own
            waiting = [name for name in waiting if name not in asked or worlds[name].unfinished]
            if not summing:
                yield from self._over({name: worlds[name] for name in asked}, records)
                records = []
        if summing:
            answered = self._ask({name: world.reflect() for name, world in summing.items()}, advance)
            for name, own in answered.items():
                summing[name].reflected(own)
                records += own
            yield from self._over(worlds, records)

    def _over(
        self, worlds: Mapping[str, World], records: Sequence[Record]
    ) -> Iterator[tuple[str, list[Turn]]]:
        taken = [(name, world.take()) for name, world in worlds.items()]
        if self._gathers is not None:
            self._gathers.add([turn for _, turns in taken for turn in turns], records)
        yield from taken

    def _world(self, condition: Condition, phase: str, refinement: Refinement) -> World:
        study, scenario, side = self._study, condition.scenario, self._sides[condition.name]
        rehearsal = phase == "validation"
        names = item_names(condition.script.family, study.prepared.split.dataset.items)
        replicates = 1 if rehearsal else study.scenario.replicates
        return World(
            members=make_members(scenario, study.prepared, condition.audience, phase, replicates, names),
            phase=phase,
            titles=self._titles,
            names=dict(zip(self._ids, names, strict=True)),
            planting=study.plantings.get(condition.name),
            script=condition.script,
            proposer=side.proposer,
            ask=side.gateway.ask,
            nulls=self._nulls,
            rules=Rules(scenario.list_length, refinement, scenario.refinement.repair, scenario.seed),
            labels=(study.label, side.client),
            first_round=VALIDATION_ROUND if rehearsal else VALIDATION_ROUND + 1,
            population=STILL if rehearsal else scenario.population,
        )

    def _ask(
        self, asked: Mapping[str, Sequence[Request]], advance: Callable[[int, int, str], None]
    ) -> dict[str, list[Record]]:
        """The records of each arm: arms with one gateway ask it at once, gateways are asked one after the other."""
        done = failed = 0
        planned = sum(map(len, asked.values()))

        def count(record: Record) -> None:
            nonlocal done, failed
            done += 1
            failed += record.completion is None
            advance(done, planned, f"{failed} failed" if failed else "")

        answered: dict[str, list[Record]] = {}
        for gateway in {id(side.gateway): side.gateway for side in self._sides.values()}.values():
            arms = [name for name in asked if self._sides[name].gateway is gateway]
            records = iter(gateway.ask([request for name in arms for request in asked[name]], count))
            answered |= {name: [next(records) for _ in asked[name]] for name in arms}
        return {name: answered[name] for name in asked}
