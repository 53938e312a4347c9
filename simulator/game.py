"""The phases of a run played to their end: a validation round where a weight is to be chosen, then the test rounds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from simulator.audience import item_names, make_members
from simulator.cast import Casting, Rules
from simulator.refinement import Fuse, Replace, choose_weight
from simulator.scenario.plan import VALIDATION_ROUND
from simulator.world import STILL, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.llm import Record
    from recommender.stages import Stages
    from simulator.players import Advance, Players
    from simulator.proposing import Proposer
    from simulator.refinement import ChosenWeight, Refinement
    from simulator.study import Condition, Study
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Turn


@dataclass(frozen=True)
class Side:
    """Who proposes to the users of an arm, and the name of who answers for them."""

    proposer: Proposer
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
        players: Players,
        stages: Stages,
        *,
        nulls: Mapping[str, EmbeddedClient] | None = None,
        at_once: int | None = _AT_ONCE,
    ) -> None:
        """`sides` by the name of the arm; `nulls` are the study's own if not given. `at_once` bounds memory and changes no turn."""
        self._gathers: Gathers | None = None
        self._at_once = at_once
        self._study, self._sides, self._players, self._stages = study, sides, players, stages
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
        with self._stages.stage(f"audience, {phase}") as told:

            def advance(done: int, planned: int, failed: int) -> None:
                told(done, planned, f"{failed} failed" if failed else "")

            playing = [each for each in self._study.conditions if each.name in refinements]
            castings = {each.name: self._casting(each, phase, refinements[each.name]) for each in playing}
            worlds = {each.name: self._world(each, castings[each.name]) for each in playing}
            self._players.enter(castings)
            del castings
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
        self, worlds: Mapping[str, World], summing: Mapping[str, World], advance: Advance
    ) -> Iterator[tuple[str, list[Turn]]]:
        """The turns of a round by arm, gathered as they are over: a part of the round at a time, unless users sum it up."""
        waiting = list(worlds)
        records: list[Record] = []
        while waiting:
            room = None if summing else self._at_once
            dealt: dict[str, list[Proposal]] = {}
            for name in waiting:
                if room is not None and room <= 0:
                    break
                dealt[name] = worlds[name].deal(room)
                room = None if room is None else room - len(dealt[name])
            for name, told in self._players.play(dealt, advance).items():
                worlds[name].settled(told.turns)
                records += told.records
            waiting = [name for name in waiting if name not in dealt or worlds[name].unfinished]
            if not summing:
                yield from self._over({name: worlds[name] for name in dealt}, records)
                records = []
        if summing:
            for name, summed_up in self._players.sum_up(list(summing), advance).items():
                summing[name].reflected(summed_up.notes)
                records += summed_up.records
            yield from self._over(worlds, records)

    def _over(
        self, worlds: Mapping[str, World], records: Sequence[Record]
    ) -> Iterator[tuple[str, list[Turn]]]:
        taken = [(name, world.take()) for name, world in worlds.items()]
        if self._gathers is not None:
            self._gathers.add([turn for _, turns in taken for turn in turns], records)
        yield from taken

    def _world(self, condition: Condition, casting: Casting) -> World:
        rehearsal = casting.phase == "validation"
        return World(
            casting,
            self._sides[condition.name].proposer,
            first_round=VALIDATION_ROUND if rehearsal else VALIDATION_ROUND + 1,
            population=STILL if rehearsal else condition.scenario.population,
        )

    def _casting(self, condition: Condition, phase: str, refinement: Refinement) -> Casting:
        study, scenario = self._study, condition.scenario
        names = item_names(condition.script.family, study.prepared.split.dataset.items)
        replicates = 1 if phase == "validation" else study.scenario.replicates
        return Casting(
            members=make_members(scenario, study.prepared, condition.audience, phase, replicates, names),
            phase=phase,
            titles=self._titles,
            names=dict(zip(self._ids, names, strict=True)),
            planting=study.plantings.get(condition.name),
            script=condition.script,
            nulls=self._nulls,
            rules=Rules(scenario.list_length, refinement, scenario.refinement.repair, scenario.seed),
            labels=(study.label, self._sides[condition.name].client),
        )
