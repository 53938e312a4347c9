"""A scenario and all that it needs before anything is trained or asked."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from recommender.pipeline import prepare_data
from simulator.audience import choose_audience, make_client, make_nulls, make_reader, make_script
from simulator.refinement import Fuse, Replace
from simulator.scenario import ScenarioError, dump
from simulator.transcript.manifest import environment, text_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agents.embedded.client import EmbeddedClient
    from agents.embedded.reading import PromptReader
    from agents.llm import ChatClient, Endpoint
    from agents.user import Script
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from simulator.audience import Audience
    from simulator.refinement import Refinement
    from simulator.scenario import Scenario


@dataclass(frozen=True)
class Study:
    """What a scenario comes to on its data."""

    scenario: Scenario
    script: Script
    refinement: Refinement | None
    """None where the weight is to be chosen on validation turns."""
    prepared: Prepared
    audience: Audience
    reader: PromptReader
    nulls: Mapping[str, EmbeddedClient]

    @classmethod
    def of(cls, scenario: Scenario, stages: Stages) -> Study:
        """Read prompts and data. Raises TemplateError, ScenarioError or DataError."""
        script = make_script(scenario)
        refinement = _policy(scenario)
        with stages.stage("data"):
            prepared = prepare_data(scenario)
            audience = choose_audience(scenario, prepared)
            reader = make_reader(prepared)
            nulls = make_nulls(scenario, prepared, reader)
        return cls(scenario, script, refinement, prepared, audience, reader, nulls)

    def client(self, stages: Stages) -> ChatClient:
        """What answers for the users; before anything is trained or written, so that a missing key shows at once."""
        with stages.stage("client"):
            return make_client(self.scenario, self.prepared, self.audience, self.reader, self.nulls)

    @property
    def label(self) -> str:
        """Name of the data; says so where they are synthetic."""
        return self.prepared.split.dataset.label

    def as_run(self) -> str:
        """What scenario.yaml holds."""
        return f"# As run on {self.label}, every default written out.\n{dump(self.scenario)}"

    def manifest(self, client: str, endpoint: Endpoint, more: Mapping[str, Any]) -> dict[str, Any]:
        """What manifest.json holds; `client` is the label of who answers."""
        return {
            **environment(),
            "data": self.label,
            "client": client,
            "endpoint": asdict(endpoint),
            "seeds": {"scenario": self.scenario.seed, "data": self.scenario.data.seed},
            "hashes": {
                "scenario": text_hash(self.as_run()),
                "data": self.prepared.fingerprint,
                "prompts": self.script.hashes(),
            },
            "model_requested": self.script.model,
            **more,
        }

    def check_data(self, recorded: Mapping[str, Any], where: Path) -> None:
        """ScenarioError if a run whose manifest is `recorded` was made on other data."""
        then, now = recorded["hashes"]["data"], self.prepared.fingerprint
        if then != now:
            raise ScenarioError(
                f"{where}: the run was made on other data (hash {then[:12]}, these are {now[:12]}); "
                "point --set data.path at the data of the run"
            )


def _policy(scenario: Scenario) -> Refinement | None:
    chosen = scenario.refinement
    if chosen.policy == "replace":
        return Replace()
    if chosen.policy == "fuse":
        return None if chosen.weight == "validation" else Fuse(float(chosen.weight))
    module, _, name = chosen.policy.partition(":")
    try:
        policy: Refinement = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ScenarioError(f"refinement.policy: {chosen.policy!r} cannot be made: {error}") from error
    return policy
