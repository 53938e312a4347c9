"""What tests of the gateway ask, and a journal in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.llm import Completion, Draw, Message, Request, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.llm import Record


def ask_for(user: str = "u1", text: str = "hello", **changes: object) -> Request:
    """A request of one message; `changes` are round, replicate, model or sampling parameters."""
    draw = Draw(user, int(changes.pop("round", 0)), int(changes.pop("replicate", 0)))
    model = str(changes.pop("model", "test-model"))
    return Request((Message("user", text),), model, {"temperature": 0.5, **changes}, draw)


def completion(text: str = "ok") -> Completion:
    """A plain answer."""
    return Completion(text, "stop", Usage(3, 1), "test-model")


class MemoryJournal:
    """Keeps records in a list, so a test sees each line that would be written."""

    def __init__(self) -> None:
        self.kept: list[Record] = []

    def get(self, key: str) -> Record | None:
        return next((record for record in self.kept if record.key == key), None)

    def append(self, records: Sequence[Record]) -> None:
        self.kept.extend(records)

    def records(self) -> Iterator[Record]:
        return iter(self.kept)
