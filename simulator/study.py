"""A scenario and all that it needs before anything is trained or asked."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from prompts import TemplateError
from prompts.attacks import load_attack
from recommender.pipeline import check_recommender, prepare_data
from simulator.audience import (
    choose_audience,
    domain_of,
    make_client,
    make_knowledge,
    make_nulls,
    make_reader,
    make_script,
)
from simulator.planting import Planting
from simulator.refinement import Fuse, Replace
from simulator.scenario import ScenarioError, arms_of, dump
from simulator.transcript.directory import RECOMMENDERS
from simulator.transcript.manifest import environment, text_hash, told_of_arms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agents.embedded.client import EmbeddedClient
    from agents.embedded.knowledge import ItemKnowledge
    from agents.embedded.reading import PromptReader
    from agents.llm import ChatClient
    from agents.user import Script
    from prompts import Domain
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from simulator.audience import Audience
    from simulator.refinement import Refinement
    from simulator.scenario import Arm, Scenario
    from simulator.transcript.manifest import RecordedArm


@dataclass(frozen=True)
class Condition:
    """What one arm comes to on the data."""

    arm: Arm
    script: Script
    refinement: Refinement | None
    """None where the weight is to be chosen on the arm's validation turns."""
    audience: Audience
    recommender: int
    """Number of its recommender, from 1: arms with equal options have the same."""

    @property
    def name(self) -> str:
        """Of the arm."""
        return self.arm.name

    @property
    def scenario(self) -> Scenario:
        """Of the arm."""
        return self.arm.scenario


@dataclass(frozen=True)
class Study:
    """What a scenario comes to on its data."""

    scenario: Scenario
    conditions: tuple[Condition, ...]
    """One for each arm; one where nothing is compared."""
    prepared: Prepared
    reader: PromptReader
    nulls: Mapping[str, EmbeddedClient]
    plantings: Mapping[str, Planting]
    """By arm, what is planted in its slates."""

    @classmethod
    def of(cls, scenario: Scenario, stages: Stages) -> Study:
        """Read prompts and data. Raises TemplateError, ScenarioError, PersonaError or DataError."""
        arms = arms_of(scenario)
        told = [_told(arm) for arm in arms]
        recommenders = _recommenders(arms)
        with stages.stage("data"):
            prepared = prepare_data(scenario)
            words = domain_of(scenario, prepared.split.dataset)
            told = [
                (make_script(arm.scenario, words), policy)
                for arm, (_, policy) in zip(arms, told, strict=True)
            ]
            conditions = tuple(
                Condition(arm, script, refinement, choose_audience(scenario, prepared, arm), number)
                for arm, (script, refinement), number in zip(arms, told, recommenders, strict=True)
            )
            reader = make_reader(prepared)
            nulls = make_nulls(scenario, prepared, reader)
        plantings = {
            each.name: Planting(each.scenario, prepared)
            for each in conditions
            if each.scenario.injection.attack is not None
        }
        return cls(scenario, conditions, prepared, reader, nulls, plantings)

    def clients(
        self, stages: Stages, knowledge: Callable[[], ItemKnowledge] | None = None
    ) -> tuple[ChatClient, ...]:
        """What answers for the users of each arm; before anything is trained or written, so that a missing key shows at once.

        `knowledge` gives stand-ins what they know of the items, made anew if it is not given.
        """
        known = knowledge or cache(self._knowledge)
        made: dict[str, ChatClient] = {}
        with stages.stage("client"):
            return tuple(self._client(condition, known, made) for condition in self.conditions)

    def _client(
        self, condition: Condition, known: Callable[[], ItemKnowledge], made: dict[str, ChatClient]
    ) -> ChatClient:
        """Made once for arms that say the same of it."""
        users = condition.scenario.users
        key = users.model_dump_json(exclude={"count", "params", "personas"})
        if key not in made:
            made[key] = make_client(
                condition.scenario, self.prepared, condition.audience, self.reader, self.nulls, known
            )
        return made[key]

    def _knowledge(self) -> ItemKnowledge:
        return make_knowledge(self.scenario, self.prepared, self.conditions[0].audience)

    @property
    def compares(self) -> bool:
        """Whether the scenario has arms."""
        return self.scenario.arms is not None or self.scenario.sweep is not None

    def folder(self, condition: Condition) -> str:
        """Of the arm's recommender, inside the run directory; "" where nothing is compared, for the run directory."""
        return f"{RECOMMENDERS}/{condition.recommender}" if self.compares else ""

    @property
    def user_ids(self) -> list[str]:
        """Of the users of the test, newcomers last."""
        ids = self.prepared.split.dataset.users["user_id"]
        found: list[str] = ids.iloc[self.conditions[0].audience.everyone].tolist()
        return found

    @property
    def domain(self) -> Domain:
        """The words in which users are told of the items."""
        return domain_of(self.scenario, self.prepared.split.dataset)

    @property
    def label(self) -> str:
        """Name of the data; says so where they are synthetic."""
        return self.prepared.split.dataset.label

    def as_run(self) -> str:
        """What scenario.yaml holds."""
        return f"# As run on {self.label}, every default written out.\n{dump(self.scenario)}"

    def manifest(self, asked: Sequence[RecordedArm], more: Mapping[str, Any]) -> dict[str, Any]:
        """What manifest.json holds; `asked` says of each arm who answers it."""
        return {
            **environment(),
            "data": self.label,
            "domain": self.domain._asdict(),
            "seeds": {"scenario": self.scenario.seed, "data": self.scenario.data.seed},
            "hashes": {
                "scenario": text_hash(self.as_run()),
                "data": self.prepared.fingerprint,
                "prompts": asked[0].prompts,
                **({} if asked[0].personas is None else {"personas": asked[0].personas}),
            },
            **told_of_arms(asked),
            **more,
        }

    def check_data(self, recorded: Mapping[str, Any], where: Path) -> None:
        """ScenarioError if a run whose manifest is `recorded` was made on other data."""
        check_data(self.prepared, recorded, where)


def check_data(prepared: Prepared, recorded: Mapping[str, Any], where: Path) -> None:
    """ScenarioError if a run whose manifest is `recorded` was made on other data than these."""
    then, now = recorded["hashes"]["data"], prepared.fingerprint
    if then != now:
        raise ScenarioError(
            f"{where}: the run was made on other data (hash {then[:12]}, these are {now[:12]}); "
            "point --set data.path at the data of the run"
        )


def check_arm(scenario: Scenario) -> None:
    """ModelError, TemplateError or ScenarioError where model, templates or policy do not exist; before anything is read."""
    check_recommender(scenario)
    check_prompts(scenario)
    _policy(scenario)


def check_prompts(scenario: Scenario) -> None:
    """TemplateError or ScenarioError where templates or the attack of a planted item do not exist or do not fit."""
    make_script(scenario)
    if scenario.injection.attack is not None:
        load_attack(scenario.injection.attack)


def _told(arm: Arm) -> tuple[Script, Refinement | None]:
    try:
        check_prompts(arm.scenario)
        return make_script(arm.scenario), _policy(arm.scenario)
    except (TemplateError, ScenarioError) as error:
        raise type(error)(f"arm {arm.name!r}: {error}" if arm.name else str(error)) from error


def _recommenders(arms: Sequence[Arm]) -> list[int]:
    """The number of each arm's recommender: data and seeds are the same for all, so its options decide."""
    numbers: dict[str, int] = {}
    return [
        numbers.setdefault(
            arm.scenario.model_dump_json(include={"recommender", "features"}), len(numbers) + 1
        )
        for arm in arms
    ]


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
