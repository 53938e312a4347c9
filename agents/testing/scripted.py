"""A client that answers by a function, for tests of whatever asks a model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agents.llm.types import Completion, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.llm.types import Request


class ScriptedClient:
    """Answers each request with what `answer` makes of it ("ok" by default), after `pause` seconds in which others start.

    An `answer` that raises CallError is an attempt that failed.
    """

    provider = "scripted"
    base_url = ""
    label = "scripted client of a test"

    def __init__(self, answer: Callable[[Request], Completion] | None = None, *, pause: float = 0.0) -> None:
        self._answer = answer or (lambda request: Completion("ok", "stop", Usage(3, 1), request.model))
        self._pause = pause
        self.asked: list[Request] = []
        """Every request, in the order they came."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = 0
        """How often it was closed."""

    async def complete(self, request: Request) -> Completion:
        """What `answer` says."""
        self.asked.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._pause)
            return self._answer(request)
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        """Count it."""
        self.closed += 1
