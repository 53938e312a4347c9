"""The phases of a run played to their end: a validation round where a weight is to be chosen, then the test rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from simulator.audience import item_names, make_members
from simulator.refinement import Fuse, Replace, choose_weight
from simulator.scenario.plan import VALIDATION_ROUND
from simulator.world import STILL, Rules, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


class Game:
    """The turns and calls of a run as its phases are played."""

    def __init__(
        self,
        study: Study,
        sides: Mapping[str, Side],
        stages: Stages,
        *,
        nulls: Mapping[str, EmbeddedClient] | None = None,
    ) -> None:
        """`sides` by the name of the arm; `nulls` are the study's own if not given."""
        self.turns: list[Turn] = []
        self.records: list[Record] = []
        self._study, self._sides, self._stages = study, sides, stages
        self._nulls = study.nulls if nulls is None else nulls
        items = study.prepared.split.dataset.items
        self._ids = items["item_id"].tolist()
        self._titles = dict(zip(self._ids, items["title"], strict=True))

    def play_all(self) -> dict[str, Played]:
        """Play every phase of every arm; by the arm's name, how its answers were used in the test."""
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
        """The turns of a phase by arm; all arms go through a round together, so that their calls do."""
        rehearsal = phase == "validation"
        with self._stages.stage(f"audience, {phase}") as advance:
            worlds = {
                condition.name: self._world(condition, phase, refinements[condition.name])
                for condition in self._study.conditions
                if condition.name in refinements
            }
            rounds = 1 if rehearsal else self._study.scenario.rounds
            for number in range(1, rounds + 1):
                asked = {name: world.observe() for name, world in worlds.items()}
                answered = self._ask(asked, advance)
                for name, world in worlds.items():
                    world.settle(answered[name])
                if number < rounds:
                    self._reflect(worlds, advance)
                for world in worlds.values():
                    self.turns.extend(world.latest)
        return {name: world.turns for name, world in worlds.items()}

    def _reflect(self, worlds: Mapping[str, World], advance: Callable[[int, int, str], None]) -> None:
        """Users of arms whose time it is sum up; after the last round nobody would be told of it."""
        asked = {name: world.reflect() for name, world in worlds.items() if world.reflects()}
        for name, records in self._ask(asked, advance).items():
            worlds[name].reflected(records)

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
        for name in asked:
            self.records.extend(answered[name])
        return answered
