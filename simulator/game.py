"""The phases of a run played to their end: a validation round where a weight is to be chosen, then the test rounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simulator.audience import VALIDATION_ROUND, make_members
from simulator.world import Rules, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.llm import Gateway, Record, Request
    from agents.user import Script
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from simulator.audience import Audience
    from simulator.proposing import Proposer
    from simulator.refinement import Refinement
    from simulator.scenario import Scenario
    from simulator.transcript.turns import Turn


class Game:
    """The turns and calls of a run as its phases are played."""

    def __init__(
        self,
        scenario: Scenario,
        prepared: Prepared,
        audience: Audience,
        script: Script,
        proposer: Proposer,
        gateway: Gateway,
        nulls: Mapping[str, EmbeddedClient],
        client: str,
        stages: Stages,
    ) -> None:
        self.turns: list[Turn] = []
        self.records: list[Record] = []
        self._scenario, self._prepared, self._audience = scenario, prepared, audience
        self._script, self._proposer, self._gateway = script, proposer, gateway
        self._nulls, self._client, self._stages = nulls, client, stages
        items = prepared.split.dataset.items
        self._titles = dict(zip(items["item_id"], items["title"], strict=True))

    def play(self, phase: str, refinement: Refinement) -> list[Turn]:
        """Play a phase to its end; its turns."""
        scenario = self._scenario
        rehearsal = phase == "validation"
        with self._stages.stage(f"audience, {phase}") as advance:
            world = World(
                members=make_members(scenario, self._prepared, self._audience, phase),
                phase=phase,
                titles=self._titles,
                script=self._script,
                proposer=self._proposer,
                ask=partial(self._ask, advance=advance),
                nulls=self._nulls,
                rules=Rules(scenario.n, refinement, scenario.refinement.repair, scenario.seed),
                labels=(self._prepared.split.dataset.label, self._client),
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
