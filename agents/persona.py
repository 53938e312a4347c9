"""Who a simulated user is: what its profile template may insert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.randomness import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GENDER_WORDS = {"F": "female", "M": "male"}
_NAMES = {
    "F": (
        "Alice Amelia Anna Barbara Beth Carla Caroline Diana Donna Elena Emily Fiona Grace Hannah Helen Irene Jane "
        "Jessica Julia Karen Kate Laura Linda Lucy Maria Martha Mia Nancy Nora Olivia Paula Rachel Rose Ruth Sarah "
        "Sofia Susan Tina Vera Wendy"
    ).split(),
    "M": (
        "Adam Alan Andrew Anthony Ben Brian Carl Charles Daniel David Dennis Edward Eric Frank George Henry Ian Jack "
        "James John Kevin Larry Leo Mark Martin Michael Nathan Oscar Patrick Paul Peter Ralph Robert Samuel Scott "
        "Simon Steve Thomas Victor Walter"
    ).split(),
}
# How each mined label (Eq. 3) is told; a label without words says too little to be told.
_BEHAVIOUR_WORDS: Mapping[str, Mapping[str, str]] = {
    "activity": {"low": "are an occasional user", "high": "are a frequent user"},
    "popularity_taste": {"low": "look for lesser-known titles", "high": "prefer well-known titles"},
    "leniency": {"low": "rate strictly", "high": "rate generously"},
    "genre_breadth": {"low": "keep to a few genres", "high": "enjoy many genres"},
    "novelty_acceptance": {
        "low": "prefer titles that have been around",
        "high": "are quick to try new titles",
    },
}


@dataclass(frozen=True)
class Persona:
    """Texts of the profile template's fields; None where nothing is known, and then nothing is said."""

    name: str
    gender: str | None = None
    age: str | None = None
    location: str | None = None
    occupation: str | None = None
    behaviour: str | None = None
    interests: str | None = None

    def values(self) -> dict[str, str | None]:
        """By field name."""
        return dict(vars(self))


def persona(
    user_id: str,
    record: Mapping[str, object],
    behaviours: Mapping[str, str],
    interests: Sequence[str],
    seed: int,
) -> Persona:
    """A persona from a user's record (name, gender, age, occupation, zip), mined labels and favourite genres.

    A user without a name gets one drawn by (seed, user) that fits the gender, any name if that is unknown.
    """

    def known(field: str) -> str | None:
        value = record.get(field)
        return value if isinstance(value, str) and value else None

    gender = known("gender")
    told = [
        _BEHAVIOUR_WORDS[name][label] for name, label in behaviours.items() if label in _BEHAVIOUR_WORDS[name]
    ]
    zip_code = known("zip")
    return Persona(
        name=known("name") or _draw_name(user_id, gender, seed),
        gender=_GENDER_WORDS.get(gender or ""),
        age=known("age"),
        location=f"the area of US ZIP code {zip_code}" if zip_code else None,
        occupation=known("occupation"),
        behaviour=_join(told),
        interests=_join(interests),
    )


def _draw_name(user_id: str, gender: str | None, seed: int) -> str:
    names = _NAMES[gender] if gender in _NAMES else [*_NAMES["F"], *_NAMES["M"]]
    return names[int(keyed_generator(seed, "name", user_id).integers(len(names)))]


def _join(words: Sequence[str]) -> str | None:
    if len(words) < 2:
        return words[0] if words else None
    return f"{', '.join(words[:-1])} and {words[-1]}"
