"""What a study compares: every arm as a scenario of its own, checked before anything is read or trained."""

from __future__ import annotations

import difflib
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.configuration import Setup, Study
from recommender.models import ModelError
from recommender.pipeline import check_recommender
from scenarios.document import Document
from scenarios.reading import ScenarioError, changed, typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

_LONGEST = 120
"""Characters of a name, which is also a folder's and stands on an axis of a figure."""


@dataclass(frozen=True)
class Arm:
    """One recommender of a study."""

    name: str
    changes: Mapping[str, JsonValue]
    """Dotted keys and their values: what makes it differ from the scenario's recommender."""
    setup: Setup

    @property
    def slug(self) -> str:
        """The name as a folder: in lower case, words joined by dashes."""
        return re.sub(r"[^\w.=-]+", "-", self.name.casefold()).strip("-.")

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
    assert isinstance(document.value, dict)
    # What is left is what python -m recommender.train would be given.
    left = {
        key: value
        for key, value in document.value.items()
        if key not in Study.model_fields.keys() - Setup.model_fields.keys()
    }
    base = Document(left, document.places)
    arms: list[Arm] = []
    for name, changes in _named(study):
        place = document.place(("arms", name) if study.arms else ("sweep", next(iter(changes))))
        own = base
        for key, value in changes.items():
            at = document.place(("arms", name, key)) if study.arms else place
            own = changed(own, key, value, at)
        arm = Arm(name, changes, typed(Setup, own))
        _check(arm, arms, place)
        arms.append(arm)
    return study, tuple(arms)


def _named(study: Study) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    """Names and changes of the arms."""
    if study.arms is not None:
        yield from study.arms.items()
        return
    assert study.sweep is not None
    short = [key.rpartition(".")[2] for key in study.sweep]
    words = short if len(set(short)) == len(short) else list(study.sweep)
    for values in itertools.product(*study.sweep.values()):
        told = (value if isinstance(value, str) else json.dumps(value) for value in values)
        name = ", ".join(f"{word}={text}" for word, text in zip(words, told, strict=True))
        yield name, dict(zip(study.sweep, values, strict=True))


def _check(arm: Arm, before: list[Arm], place: str) -> None:
    if not arm.slug or len(arm.name) > _LONGEST:
        raise ScenarioError(
            f"{place}: the name of arm {arm.name!r} should have a letter or digit and at most {_LONGEST} characters; "
            "the values of a sweep can be given names as arms"
        )
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
