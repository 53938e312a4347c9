"""Why a replay has no answer: the nearest recorded request and where it first differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.llm.difference import request_difference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.llm.record import Record
    from agents.llm.types import Request
_ELSEWHERE = "the provider or base_url (the requests themselves are equal)"


class ReplayMiss(LookupError):  # noqa: N818 - a miss, as caches call it
    """A replay asked for a call that the journal does not hold."""

    def __init__(self, key: str, request: Request, recorded: Iterable[Record]) -> None:
        self.key = key
        super().__init__(_explanation(key, request, recorded))


def _explanation(key: str, request: Request, recorded: Iterable[Record]) -> str:
    draw = request.draw
    asked = f"{draw} (key {key[:12]})"
    nearest = max(recorded, key=lambda record: _likeness(request, record.request), default=None)
    if nearest is None:
        return f"the journal has no answer for {asked}: it holds no call at all. Replay the folder of a finished run"
    near = nearest.request.draw
    found = request_difference(request, nearest.request)
    difference = found.told("now", "in the record") if found else _ELSEWHERE
    return (
        f"the journal has no answer for {asked}. The nearest recorded call is {near} (key {nearest.key[:12]}); "
        f"first difference: {difference}. "
        "Replay with the scenario, prompts and data of the recorded run, or make a new run"
    )


def _likeness(request: Request, other: Request) -> tuple[int, ...]:
    """Larger is nearer: the same user and round first, then as much of the content as possible."""
    mine, theirs = request.draw, other.draw
    return (
        mine.user == theirs.user,
        mine.round == theirs.round,
        mine.replicate == theirs.replicate,
        mine.part == theirs.part,
        request.model == other.model,
        sum(a == b for a, b in zip(request.messages, other.messages, strict=False)),
        dict(request.params) == dict(other.params),
    )
