"""Lines that a reader leaves out: counted, the first ones shown, and too many of them an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TOLERANCE = 0.001
"""Share of malformed lines of one file up to which it is read without them."""
SHOWN = 5
"""So many of them are shown."""


@dataclass(frozen=True)
class Skipped:
    """What was left out of one file for one reason."""

    file: str
    kind: Literal["malformed", "repeated"]
    """`repeated`: a later interaction of the same user and item. Real logs are full of them, and they are no error."""
    count: int
    rows: int
    """Rows of the file, those that were left out included."""
    first: tuple[str, ...]
    """The first of them: "file:line: what is wrong"."""

    def __str__(self) -> str:
        return f"{self.file}: {self.count:,} of {self.rows:,} rows left out ({self.kind}); first: {self.first[0]}"


class Skips:
    """Collects what is left out of one file.

    A reader calls `malformed` and `repeated` as it meets them and `close` at the end; `close` raises DataError where more
    than the share `tolerance` of the rows was malformed, so a wrong format never ends in a small data set.
    """

    def __init__(self, path: Path, tolerance: float = TOLERANCE) -> None:
        self.path = path
        self._tolerance = tolerance
        self._count = {"malformed": 0, "repeated": 0}
        self._first: dict[str, list[str]] = {"malformed": [], "repeated": []}

    @property
    def left_out(self) -> int:
        """Rows left out so far, for whatever reason."""
        return sum(self._count.values())

    def malformed(self, first: Iterable[str], count: int = 1) -> None:
        """`count` rows that say nothing usable; `first` are messages "file:line: what, what to do" of the first of them."""
        self._add("malformed", first, count)

    def repeated(self, first: Iterable[str], count: int = 1) -> None:
        """`count` rows of a user and an item that stand in an earlier row together; the earliest in time is kept."""
        self._add("repeated", first, count)

    def close(self, rows: int) -> tuple[Skipped, ...]:
        """What was left out of the `rows` of the file; DataError if it is beyond the tolerance."""
        bad = self._count["malformed"]
        if bad > self._tolerance * rows:
            shown = "\n".join(self._first["malformed"])
            raise DataError(
                f"{shown}\n{self.path}: {bad:,} of {rows:,} rows cannot be used, more than the tolerated share of "
                f"{self._tolerance:g}; mend the file, or raise data.tolerance to read it without them"
            )
        return tuple(
            Skipped(str(self.path), kind, self._count[kind], rows, tuple(self._first[kind]))
            for kind in ("malformed", "repeated")
            if self._count[kind]
        )

    def _add(self, kind: str, first: Iterable[str], count: int) -> None:
        self._count[kind] += count
        room = SHOWN - len(self._first[kind])
        self._first[kind].extend(message for _, message in zip(range(max(room, 0)), first, strict=False))
