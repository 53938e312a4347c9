"""From titles as named to positions, counting what cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.reply.answer import Answer
    from agents.reply.titles import Mention


@dataclass
class Counts:
    """What the answer parts of one reply hold besides a clean decision."""

    answer: Answer
    duplicate: int = 0
    unknown: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)

    def resolve(self, mentions: Sequence[Mention]) -> list[int | None]:
        """The position of each mention of one answer part; None for a repeated or ambiguous one, which is counted."""
        seen: set[int] = set()
        positions: list[int | None] = []
        for mention in mentions:
            position = mention.positions[0]
            if len(mention.positions) > 1:
                self.ambiguous.append(self.answer.text[mention.start : mention.end])
                positions.append(None)
            elif position in seen:
                self.duplicate += 1
                positions.append(None)
            else:
                seen.add(position)
                positions.append(position)
        return positions
