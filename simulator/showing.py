"""The prompt that one user of a scenario would be sent, without a recommender being trained or anybody asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from agents.llm import token_counter
from agents.persona_file import PersonaError
from prompts import TemplateError
from recommender.data.dataset import DataError
from recommender.models import ModelError
from recommender.stages import Stages
from simulator.audience import item_names, make_members
from simulator.cast import Casting, Rules
from simulator.held_out import HeldOutProposer
from simulator.refinement import Replace
from simulator.scenario import ScenarioError, arms_of, load
from simulator.study import Study, check_arm
from simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.llm import Request
    from recommender.pipeline import Prepared
    from simulator.party import Party
    from simulator.scenario import Scenario
    from simulator.transcript.proposals import Proposal

_EMBEDDED = Path(str(files("scenarios"))) / "prompt_ab.yaml"
POPULAR = "the most popular items that the user has not had: no recommender was trained for this"
MISTAKES = (DataError, ModelError, PersonaError, ScenarioError, TemplateError)
HELD_OUT = "those of the run: held-out items of the user among others"


@dataclass(frozen=True)
class Shown:
    """What a user is sent in its first round."""

    requests: tuple[Request, ...]
    """One, or one for each part of the turn."""
    candidates: str
    """Where they come from, in words."""

    def lines(self) -> Iterator[str]:
        """Each call with its size, then its messages as they are."""
        counter = token_counter(self.requests[0].model)
        for number, request in enumerate(self.requests, start=1):
            which = f"call {number} of {len(self.requests)}, " if len(self.requests) > 1 else ""
            tokens = f"{counter.prompt(request.messages):,} tokens ({counter.name})"
            yield f"--- {which}{tokens}; candidates: {self.candidates}"
            for message in request.messages:
                yield f"[{message.role}]\n{message.content}\n"


def with_arm(scenario: Scenario, name: str) -> Scenario:
    """The scenario of its arm `name`, or with the prompts of FAMILY or FAMILY:FEEDBACK; ScenarioError if it is none of these."""
    arms = {arm.name: arm.scenario for arm in arms_of(scenario)}
    if name in arms:
        return arms[name]
    family, _, feedback = name.rpartition(":") if ":" in name else (name, "", "")
    prompts = scenario.prompts.model_copy(
        update={"family": family, **({"feedback": feedback} if feedback else {})}
    )
    changed = {**scenario.model_dump(mode="json"), "prompts": prompts.model_dump(mode="json")}
    changed |= dict.fromkeys(("arms", "sweep", "study"))
    try:
        found = type(scenario).model_validate(changed)
        check_arm(found)
    except TemplateError as error:
        known = ", ".join(filter(None, arms))
        raise ScenarioError(
            f"{name!r} is no arm of the scenario{f' (they are {known})' if known else ''}, and no FAMILY or FAMILY:FEEDBACK: {error}"
        ) from error
    return found


def shown_to(scenario: Scenario, user: str, stages: Stages) -> Shown:
    """What `user` would be sent in the first round; ScenarioError if the data have no such user. `scenario` is without arms."""
    study = Study.of(scenario, stages)
    (condition,) = study.conditions
    dataset = study.prepared.split.dataset
    rows = np.flatnonzero((dataset.users["user_id"] == user).to_numpy())
    if not len(rows):
        some = ", ".join(dataset.users["user_id"].iloc[:5])
        raise ScenarioError(f"{study.label} has no user {user!r} after its filters; it has {some}, ...")
    names = item_names(condition.script.family, dataset.items)
    audience = replace(condition.audience, users=rows, newcomers=rows[:0])
    arm = next(iter(audience.lengths))
    members = make_members(scenario, study.prepared, audience, "test", names=names)
    held_out = scenario.slates.source == "held_out"
    ids = dataset.items["item_id"].tolist()
    casting = Casting(
        members=[member for member in members if member.arm == arm],
        phase="test",
        titles=dict(zip(ids, dataset.items["title"], strict=True)),
        script=condition.script,
        nulls={},
        rules=Rules(scenario.list_length, Replace(), scenario.refinement.repair, scenario.seed),
        labels=(study.label, ""),
        names=dict(zip(ids, names, strict=True)),
    )
    proposer = (
        HeldOutProposer(scenario, study.prepared, {}, None)
        if held_out
        else _MostPopular(scenario, study.prepared)
    )
    world = World(casting, proposer, ask=lambda requests: ())
    return Shown(tuple(world.observe()), HELD_OUT if held_out else POPULAR)


def prompt_of(arm: str, user: str, file: Path | None, overrides: Sequence[str]) -> Shown:
    """What `user` is sent in the arm (see `with_arm`) of the scenario in `file`, or of embedded data; raises one of MISTAKES."""
    scenario = load(file or _EMBEDDED, overrides)
    return shown_to(with_arm(scenario, arm), user, Stages(Console(stderr=True, quiet=True)))


class _MostPopular:
    """Proposes to everybody what most have had, and it has not."""

    def __init__(self, scenario: Scenario, prepared: Prepared) -> None:
        self._size, self._split = 2 * scenario.n, prepared.split
        counts = np.bincount(self._split.train.item, minlength=len(self._split.dataset.items))
        self._order = np.argsort(-counts, kind="stable")

    def propose(self, party: Party) -> list[Proposal]:
        dataset, history = self._split.dataset, self._split.history(party.phase)
        ids, rows = dataset.items["item_id"], dataset.users["user_id"].tolist()
        found = []
        for user in party.users:
            had = history.item[history.user == rows.index(user)]
            slate = tuple(ids.iloc[self._order[~np.isin(self._order, had)][: self._size]])
            scores = tuple(float(len(slate) - place) for place in range(len(slate)))
            found.append(party.proposal(dataset.label, user, slate, scores))
        return found
