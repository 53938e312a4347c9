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
# How each label that no source gives is told (Eq. 2, 3). Economic status is a tercile among the users, from a household's
# income and a person's wage. "medium", what is usual, has no words, nor has "unknown".
LABEL_WORDS: Mapping[str, Mapping[str, str]] = {
    "economic_status": {
        "low": "have a comparatively low household income",
        "high": "have a comparatively high household income",
    },
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
    labels: Mapping[str, str],
    interests: Sequence[str],
    seed: int,
) -> Persona:
    """A persona from a user's record (name, gender, age, occupation, zip, state), mined labels, favourite genres.

    `state` is the name of the US state that the postal code lies in, None if it lies in none; `labels` holds the label
    of "economic_status", "activity" and the other fields that are mined. A user without a name gets one drawn by
    (seed, user) that fits the gender, any name if that is unknown.
    """

    def known(field: str) -> str | None:
        value = record.get(field)
        return value if isinstance(value, str) and value else None

    gender = known("gender")
    return Persona(
        name=known("name") or draw_name(user_id, gender, seed),
        gender=_GENDER_WORDS.get(gender or ""),
        age=known("age"),
        location=_place(known("zip"), known("state")),
        occupation=known("occupation"),
        behaviour=behaviour_of(labels),
        interests=_join(interests),
    )


def _place(code: str | None, state: str | None) -> str | None:
    """A code that lies in no US state may be a foreign one."""
    if code is None or state is None:
        return state if code is None else f"the area of postal code {code}"
    return f"the area of US ZIP code {code} in {state}"


def behaviour_of(labels: Mapping[str, str], told: Sequence[str] = ()) -> str | None:
    """What is `told` of a user already, and the words of its mined labels; None if there is nothing."""
    words = [LABEL_WORDS[name][label] for name, label in labels.items() if label in LABEL_WORDS[name]]
    return _join([*told, *words])


def draw_name(user_id: str, gender: str | None, seed: int) -> str:
    """A name by (seed, user) that fits a gender as the data have it (F, M) or in words; any name if that is unknown."""
    kind = {word: letter for letter, word in _GENDER_WORDS.items()}.get(gender or "", gender)
    names = _NAMES[kind] if kind in _NAMES else [*_NAMES["F"], *_NAMES["M"]]
    return names[int(keyed_generator(seed, "name", user_id).integers(len(names)))]


def _join(words: Sequence[str]) -> str | None:
    if len(words) < 2:
        return words[0] if words else None
    return f"{', '.join(words[:-1])} and {words[-1]}"
