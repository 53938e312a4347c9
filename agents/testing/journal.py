"""A journal in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.llm.record import Record


class MemoryJournal:
    """Keeps records in a list, so that a test sees each one that would be written."""

    def __init__(self) -> None:
        self.kept: list[Record] = []

    def get(self, key: str) -> Record | None:
        """The latest record of this call, if it has ended."""
        return next((record for record in reversed(self.kept) if record.key == key), None)

    def append(self, records: Sequence[Record]) -> None:
        """Keep them."""
        self.kept.extend(records)

    def records(self) -> Iterator[Record]:
        """All of them."""
        return iter(self.kept)
