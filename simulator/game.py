"""The phases of a run played to their end: a validation round where a weight is to be chosen, then the test rounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from simulator.audience import make_members
from simulator.refinement import Fuse, Replace, choose_weight
from simulator.scenario.plan import VALIDATION_ROUND
from simulator.world import Rules, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.llm import Record, Request
    from recommender.stages import Stages
    from simulator.proposing import Proposer
    from simulator.refinement import ChosenWeight, Refinement
    from simulator.study import Study
    from simulator.transcript.turns import Turn


class Asks(Protocol):
    """What a game needs of a gateway."""

    def ask(
        self, requests: Sequence[Request], on_done: Callable[[Record], None] | None = None
    ) -> list[Record]:
        """A record for each request, in order; `on_done` is told of each as it ends."""
        ...


class Game:
    """The turns and calls of a run as its phases are played."""

    def __init__(
        self,
        study: Study,
        proposer: Proposer,
        gateway: Asks,
        client: str,
        stages: Stages,
        *,
        nulls: Mapping[str, EmbeddedClient] | None = None,
    ) -> None:
        """`client` is the label of who answers; `nulls` are the study's own if not given."""
        self.turns: list[Turn] = []
        self.records: list[Record] = []
        self._study, self._proposer, self._gateway = study, proposer, gateway
        self._nulls = study.nulls if nulls is None else nulls
        self._client, self._stages = client, stages
        items = study.prepared.split.dataset.items
        self._titles = dict(zip(items["item_id"], items["title"], strict=True))

    def play_all(self) -> tuple[Refinement, ChosenWeight | None]:
        """Play every phase; the refinement of the test, and how its weight was chosen where it was."""
        scenario, refinement, chosen = self._study.scenario, self._study.refinement, None
        if refinement is None:
            rehearsal = self._play("validation", Replace())
            chosen = choose_weight(rehearsal, scenario.n, scenario.refinement.repair, scenario.seed)
            refinement = Fuse(chosen.weight)
        self._play("test", refinement)
        return refinement, chosen

    def _play(self, phase: str, refinement: Refinement) -> list[Turn]:
        study, scenario = self._study, self._study.scenario
        rehearsal = phase == "validation"
        with self._stages.stage(f"audience, {phase}") as advance:
            world = World(
                members=make_members(scenario, study.prepared, study.audience, phase),
                phase=phase,
                titles=self._titles,
                script=study.script,
                proposer=self._proposer,
                ask=partial(self._ask, advance=advance),
                nulls=self._nulls,
                rules=Rules(scenario.list_length, refinement, scenario.refinement.repair, scenario.seed),
                labels=(study.label, self._client),
                first_round=VALIDATION_ROUND if rehearsal else VALIDATION_ROUND + 1,
            )
            for _ in range(1 if rehearsal else scenario.rounds):
                world.step()
        self.turns.extend(world.turns)
        return world.turns

    def _ask(self, requests: Sequence[Request], advance: Callable[[int, int, str], None]) -> list[Record]:
        done = failed = 0

        def count(record: Record) -> None:
            nonlocal done, failed
            done += 1
            failed += record.completion is None
            advance(done, len(requests), f"{failed} failed" if failed else "")

        records = self._gateway.ask(requests, count)
        self.records.extend(records)
        return records
