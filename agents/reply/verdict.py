"""What a simulated user decided, as read from its reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


class Status(StrEnum):
    """How a reply could be read. The first three carry a decision, the others none."""

    OK = "ok"
    """Every part that was asked for is there, each candidate named once."""
    REPAIRED = "repaired"
    """Complete, after dropping repeated or foreign names."""
    PARTIAL = "partial"
    """A part that was asked for, or some candidates of it, are missing."""
    REFUSED = "refused"
    """The model declined to answer."""
    TRUNCATED = "truncated"
    """Cut off by the length limit; not trusted even where it parses."""
    UNPARSEABLE = "unparseable"
    """No candidate could be read from the answer."""


@dataclass(frozen=True)
class Asked:
    """Which decisions a feedback template asks for."""

    accept: bool
    rank: bool
    form: Literal["titles", "ids", "json"] = "titles"
    """How candidates are named: by title, by the number in brackets before each, or by number in a JSON object."""


@dataclass(frozen=True)
class Verdict:
    """A decision over the candidates of one slate; all items are positions in the candidate list given to `parse`."""

    status: Status
    ranking: tuple[int, ...] = ()
    """Best first, each at most once; only what the reply ranked."""
    accepted: tuple[int, ...] = ()
    """In the order named."""
    rejected: tuple[int, ...] = ()
    undecided: tuple[int, ...] = ()
    """Candidates neither accepted nor rejected, hedges included."""
    missing: tuple[int, ...] = ()
    """Candidates the ranking leaves out (when a ranking was asked for)."""
    duplicate: int = 0
    """Names given again inside one answer part."""
    unknown: tuple[str, ...] = field(default=())
    """Pieces of an answer part that name no candidate, as written."""
    ambiguous: tuple[str, ...] = field(default=())
    """Pieces that fit several candidates equally well; none of them is chosen."""

    def mapped(self, places: Sequence[int]) -> Verdict:
        """The same verdict with position p replaced by `places[p]` (from shown order to slate order)."""
        at = places.__getitem__

        def moved(positions: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(map(at, positions)) if positions else ()

        return Verdict(
            self.status,
            moved(self.ranking),
            moved(self.accepted),
            moved(self.rejected),
            moved(self.undecided),
            moved(self.missing),
            self.duplicate,
            self.unknown,
            self.ambiguous,
        )
