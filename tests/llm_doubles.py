"""Small stand-ins for the two sides of the gateway: a journal in memory and a client that does as it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agents.llm import Completion, Draw, Message, Request, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


class ScriptedClient:
    """Answers by a function, after a pause in which other calls can start."""

    provider = "scripted"
    base_url = ""
    label = "scripted client of the tests"

    def __init__(self, answer: Callable[[Request], Completion] | None = None, *, pause: float = 0.0) -> None:
        self._answer = answer or (lambda request: completion())
        self._pause = pause
        self.asked: list[Request] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = 0

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._pause)
            return self._answer(request)
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        self.closed += 1
