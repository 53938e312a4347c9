"""What a scenario compares: `arms`, by name and the dotted keys that each changes, or a `sweep` over values of such keys."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from scenarios.document import Document
from scenarios.reading import ScenarioError, changed, typed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pydantic import JsonValue, ValidationInfo

KEYS = ("arms", "sweep", "replicates")
"""Keys of a scenario that plan a comparison, and that no arm has itself."""
_LONGEST = 120
"""Characters of a name, which is also a folder's and stands on an axis of a figure."""
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories that XML or UTF-8 cannot hold, or that break a line."""
_Model = TypeVar("_Model", bound=BaseModel)
_Arms = TypeVar("_Arms", bound="dict[str, dict[str, JsonValue]] | None")
_Sweep = TypeVar("_Sweep", bound="dict[str, tuple[JsonValue, ...]] | None")


@dataclass(frozen=True)
class Variant:
    """One arm: the scenario without arms that it comes to, not read yet."""

    name: str
    changes: Mapping[str, JsonValue]
    """Dotted keys and their values: what makes it differ from the scenario."""
    document: Document
    place: str
    """Where the arm stands ("file:line")."""

    def typed(self, model: type[_Model]) -> _Model:
        """The arm as `model`; ScenarioError, where a mistake stands elsewhere than at a key of the arm with the arm's place before it."""
        try:
            return typed(model, self.document)
        except ScenarioError as error:
            own = {self.place, *(self.document.place(tuple(key.split("."))) for key in self.changes)}
            lines = (
                line
                if line.startswith(tuple(f"{place}: " for place in own))
                else f"{self.place}: arm {self.name!r}: {line}"
                for line in str(error).splitlines()
            )
            raise ScenarioError("\n".join(lines)) from None

    @property
    def slug(self) -> str:
        """The name as a folder: in lower case, words joined by dashes."""
        return re.sub(r"[^\w.=-]+", "-", self.name.casefold()).strip("-.")


def some_arm(value: _Arms) -> _Arms:
    """A validator: arms, if there are any, are one at least."""
    if value is not None and not value:
        raise ValueError("should name one arm at least, such as `UiM: {}`")
    return value


def either(value: _Sweep, info: ValidationInfo) -> _Sweep:
    """A validator of the sweep, which comes after the arms: not both of them, and no key without values."""
    if value is None:
        return value
    if info.data.get("arms") is not None:
        raise ValueError("should be left out where there are arms: one of the two says what is compared")
    if not value or not all(value.values()):
        raise ValueError(
            "should name a key and its values, such as `recommender.params.interests: [1, 2, 3]`"
        )
    return value


def variants(
    document: Document,
    arms: Mapping[str, Mapping[str, JsonValue]] | None,
    sweep: Mapping[str, Collection[JsonValue]] | None,
    left_out: Collection[str] = KEYS,
) -> Iterator[Variant]:
    """Each arm of a scenario, in order: the document without the keys `left_out`, changed as the arm says.

    ScenarioError names the place of an arm that cannot be made, or whose name is no name.
    """
    assert isinstance(document.value, dict)
    left = {key: value for key, value in document.value.items() if key not in left_out}
    base = Document(left, document.places)
    for name, changes in _named(arms, sweep):
        place = document.place(("arms", name) if arms else ("sweep", next(iter(changes))))
        own = base
        for key, value in changes.items():
            own = changed(own, key, value, document.place(("arms", name, key)) if arms else place)
        variant = Variant(name, changes, own, place)
        if not variant.slug or len(name) > _LONGEST:
            raise ScenarioError(
                f"{place}: the name of arm {name!r} should have a letter or digit and at most {_LONGEST} characters; "
                "the values of a sweep can be given names as arms"
            )
        if not _NO_TEXT.isdisjoint(map(unicodedata.category, name)):
            raise ScenarioError(
                f"{place}: the name of arm {name!r} should have no control characters or line breaks; no figure can hold them"
            )
        yield variant


def _named(
    arms: Mapping[str, Mapping[str, JsonValue]] | None, sweep: Mapping[str, Collection[JsonValue]] | None
) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    """Names and changes of the arms."""
    if arms is not None:
        yield from arms.items()
        return
    assert sweep is not None
    short = [key.rpartition(".")[2] for key in sweep]
    words = short if len(set(short)) == len(short) else list(sweep)
    for values in itertools.product(*sweep.values()):
        told = (value if isinstance(value, str) else json.dumps(value) for value in values)
        name = ", ".join(f"{word}={text}" for word, text in zip(words, told, strict=True))
        yield name, dict(zip(sweep, values, strict=True))
