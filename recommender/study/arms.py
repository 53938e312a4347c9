"""What a study compares: every arm as a scenario of its own, checked before anything is read or trained."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.configuration import Setup, Study
from recommender.models import ModelError
from recommender.pipeline import check_recommender
from scenarios.arms import variants
from scenarios.reading import ScenarioError, typed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from scenarios.document import Document


@dataclass(frozen=True)
class Arm:
    """One recommender of a study."""

    name: str
    changes: Mapping[str, JsonValue]
    """Dotted keys and their values: what makes it differ from the scenario's recommender."""
    setup: Setup
    slug: str
    """The name as a folder."""

    def replicate(self, seed: int) -> Setup:
        """The scenario of one training."""
        recommender = self.setup.recommender.model_copy(update={"seed": seed})
        return self.setup.model_copy(update={"recommender": recommender})


def expand(document: Document) -> tuple[Study, tuple[Arm, ...]]:
    """The study in a document and its arms, in order.

    ScenarioError names the place of an arm that no recommender can be, or whose folder would be another's.
    """
    study = typed(Study, document)
    _refuse_misspelt(study, document)
    # What is left is what python -m recommender.train would be given.
    planned = Study.model_fields.keys() - Setup.model_fields.keys()
    arms: list[Arm] = []
    for variant in variants(document, study.arms, study.sweep, planned):
        arm = Arm(variant.name, variant.changes, variant.typed(Setup), variant.slug)
        _check(arm, arms, variant.place)
        arms.append(arm)
    return study, tuple(arms)


def _check(arm: Arm, before: list[Arm], place: str) -> None:
    if same := next((each.name for each in before if each.slug == arm.slug), None):
        raise ScenarioError(
            f"{place}: arms {same!r} and {arm.name!r} would share the folder arms/{arm.slug}; rename one, or leave one out"
        )
    try:
        check_recommender(arm.setup)
    except ModelError as error:
        raise ScenarioError(f"{place}: arm {arm.name!r}: {error}") from error


def _refuse_misspelt(study: Study, document: Document) -> None:
    """Sections of an audience are left to others; what only looks like a key of a study is not."""
    for key in study.model_extra or {}:
        if near := difflib.get_close_matches(key, Study.model_fields, n=1, cutoff=0.75):
            raise ScenarioError(f"{document.place((key,))}: unknown key {key!r}; did you mean {near[0]!r}?")
