"""What one of several calls of a turn said, as it is written down and read back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from agents.asking import Reading, combined
from agents.reply import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.transcript.turns import Turn

FAILED = "failed"
"""Status of a turn, or of a part of one, whose call brought no answer."""


@dataclass(frozen=True)
class Part:
    """One call of a turn; items are item ids. What equals its default is not written."""

    request: str
    """Key of the call."""
    status: str
    """Of agents.reply.Status, or "failed" where no answer came."""
    shown: tuple[str, ...]
    """The candidates in the order of its prompt."""
    error: str | None = None
    """Why no answer came."""
    probability: float | None = None
    """Of yes, against no (pointwise); None where it could not be read."""
    mass: float | None = None
    """Of all probability in its place, that of yes and no together, where log probabilities were read."""
    ranking: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    missing: int = 0
    duplicate: int = 0
    ambiguous: int = 0
    unknown_names: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """As written."""
        return {name: value for name, value in vars(self).items() if value != _DEFAULTS.get(name, ...)}


_DEFAULTS = {field.name: field.default for field in fields(Part)[3:]}


def part_of(request: str, error: str | None, reading: Reading, slate: Sequence[str]) -> Part:
    """The record of a reading, in items of the slate."""
    verdict = reading.verdict

    def items(places: Sequence[int]) -> tuple[str, ...]:
        return tuple(slate[place] for place in places)

    if verdict is None:
        return Part(request, FAILED, items(reading.shown), error)
    return Part(
        request,
        verdict.status.value,
        items(reading.shown),
        error,
        reading.probability,
        reading.mass,
        items(verdict.ranking),
        items(verdict.accepted),
        items(verdict.rejected),
        items(verdict.undecided),
        len(verdict.missing),
        verdict.duplicate,
        len(verdict.ambiguous),
        verdict.unknown,
    )


def combined_again(turn: Turn) -> dict[str, Any]:
    """What the parts of a turn come to, by the names of the turn's fields.

    KeyError for an item that is not of the slate, ValueError for a status that there is not.
    """
    place = {item: number for number, item in enumerate(turn.slate)}

    def places(items: Sequence[str]) -> tuple[int, ...]:
        return tuple(place[item] for item in items)

    def items(places: Sequence[int]) -> tuple[str, ...]:
        return tuple(turn.slate[place] for place in places)

    readings = [_reading(part, places) for part in turn.parts]
    verdict = combined(turn.ask, readings, turn.threshold or 0.0, places(turn.shown))
    if verdict is None:
        return {"status": FAILED, "error": turn.parts[0].error}
    return {
        "status": verdict.status.value,
        "error": None,
        "ranking": items(verdict.ranking),
        "accepted": items(verdict.accepted),
        "rejected": items(verdict.rejected),
        "undecided": items(verdict.undecided),
        "missing": len(verdict.missing),
        "duplicate": verdict.duplicate,
        "unknown": len(verdict.unknown),
        "ambiguous": len(verdict.ambiguous),
        "unknown_names": verdict.unknown,
    }


def _reading(part: Part, places: Callable[[Sequence[str]], tuple[int, ...]]) -> Reading:
    """What `part_of` was given, as far as it counts."""
    shown = places(part.shown)
    if part.status == FAILED:
        return Reading(shown, None)
    ranked = {*part.ranking}
    verdict = Verdict(
        Status(part.status),
        places(part.ranking),
        places(part.accepted),
        places(part.rejected),
        places(part.undecided),
        tuple(place for place, item in zip(shown, part.shown, strict=True) if item not in ranked)
        if part.missing
        else (),
        part.duplicate,
        part.unknown_names,
        ("",) * part.ambiguous,  # only their number is kept
    )
    return Reading(shown, verdict, part.probability, part.mass)
