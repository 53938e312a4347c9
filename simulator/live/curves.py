"""What worlds collect of their rounds, as curves: every number that a model reporter gives, whichever there are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH, HEIGHT = 100.0, 40.0
"""Of a panel's own coordinates; the page stretches them."""
_MOST_LINES = 7
"""Of one panel: so many colours are told apart."""


@dataclass(frozen=True)
class Line:
    """One curve of a panel."""

    name: str
    """"" where the panel has no other."""
    latest: str
    """The newest value, for reading."""
    points: str
    """As an SVG path; a gap where a round has no value."""


@dataclass(frozen=True)
class Panel:
    """A measure over the rounds."""

    name: str
    lines: tuple[Line, ...]
    more: int
    """Lines that are left out, the smallest."""
    low: str
    high: str
    """Ends of the axis."""
    rounds: int

    @property
    def told(self) -> str:
        """In words, for who does not see it."""
        latest = ", ".join(f"{line.name} {line.latest}".strip() for line in self.lines)
        return (
            f"{self.name} over {self.rounds} rounds, from {self.low} to {self.high} on its axis; now {latest}"
        )


def panels(collected: Mapping[str, Sequence[object]]) -> Iterator[Panel]:
    """A panel for each reporter whose values are numbers, or mappings of names to numbers."""
    for name, values in collected.items():
        if lines := _numbers(values):
            yield _panel(name.replace("_", " "), lines)


def _numbers(values: Sequence[object]) -> dict[str, list[float | None]]:
    """The values of each line; empty where there is no number."""
    found: dict[str, list[float | None]] = {}
    if any(isinstance(value, Mapping) for value in values):
        rows = [value if isinstance(value, Mapping) else {} for value in values]
        for key in dict.fromkeys(key for row in rows for key in row):
            # A count that is not there is none; a row that is not there is unknown.
            found[str(key)] = [_number(row.get(key, 0)) if row else None for row in rows]
    else:
        found[""] = [_number(value) for value in values]
    return {name: line for name, line in found.items() if any(value is not None for value in line)}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value) if math.isfinite(float(value)) else None


def _panel(name: str, lines: Mapping[str, Sequence[float | None]]) -> Panel:
    newest = {
        key: next(value for value in reversed(line) if value is not None) for key, line in lines.items()
    }
    kept = sorted(lines, key=lambda key: -newest[key])[:_MOST_LINES]
    every = [value for key in kept for value in lines[key] if value is not None]
    low, high = _axis(min(every), max(every))
    rounds = max(map(len, lines.values()))
    drawn = tuple(Line(key, number(newest[key]), _path(lines[key], low, high)) for key in kept)
    return Panel(name, drawn, len(lines) - len(kept), number(low), number(high), rounds)


def _axis(least: float, most: float) -> tuple[float, float]:
    """Round ends; from 0 where no value is below it."""
    low = 0.0 if least >= 0 else -_rounded(-least)
    high = _rounded(most) if most > 0 else 0.0
    return (low, high) if high > low else (low, low + 1.0)


def _rounded(value: float) -> float:
    """The next of 1, 2, 2.5, 5 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if value <= step * power * (1 + 1e-9))


def _path(values: Sequence[float | None], low: float, high: float) -> str:
    width = max(1, len(values) - 1)
    pieces, drawing = [], False
    for place, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        x, y = WIDTH * place / width, HEIGHT * (high - value) / (high - low)
        pieces.append(f"{'L' if drawing else 'M'}{x:.2f} {y:.2f}")
        if not drawing:
            # A line of no length: round caps make it a dot, where a curve begins or stands alone.
            pieces.append(f"L{x:.2f} {y:.2f}")
        drawing = True
    return "".join(pieces)


def number(value: float) -> str:
    """As a person reads it."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
