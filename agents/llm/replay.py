"""Why a replay has no answer: the nearest recorded request and where it first differs."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.llm.record import Record
    from agents.llm.types import Request

_EXCERPT = 40


class ReplayMiss(LookupError):  # noqa: N818 - a miss, as caches call it
    """A replay asked for a call that the journal does not hold."""

    def __init__(self, key: str, request: Request, recorded: Iterable[Record]) -> None:
        self.key = key
        super().__init__(_explanation(key, request, recorded))


def _explanation(key: str, request: Request, recorded: Iterable[Record]) -> str:
    draw = request.draw
    asked = f"user {draw.user!r}, round {draw.round}, replicate {draw.replicate} (key {key[:12]})"
    nearest = max(recorded, key=lambda record: _likeness(request, record.request), default=None)
    if nearest is None:
        return f"the journal has no answer for {asked}: it holds no call at all. Replay the folder of a finished run"
    near = nearest.request.draw
    return (
        f"the journal has no answer for {asked}. The nearest recorded call is user {near.user!r}, "
        f"round {near.round}, replicate {near.replicate} (key {nearest.key[:12]}); "
        f"first difference: {_first_difference(request, nearest.request)}. "
        "Replay with the scenario, prompts and data of the recorded run, or make a new run"
    )


def _likeness(request: Request, other: Request) -> tuple[int, ...]:
    """Larger is nearer: the same user and round first, then as much of the content as possible."""
    mine, theirs = request.draw, other.draw
    return (
        mine.user == theirs.user,
        mine.round == theirs.round,
        mine.replicate == theirs.replicate,
        request.model == other.model,
        sum(a == b for a, b in zip(request.messages, other.messages, strict=False)),
        dict(request.params) == dict(other.params),
    )


def _first_difference(request: Request, other: Request) -> str:
    asked, recorded = dict(_fields(request)), dict(_fields(other))
    for name in asked | recorded:
        if name not in recorded:
            return f"{name} is {_short(asked[name])} now and absent in the record"
        if name not in asked:
            return f"{name} is absent now and {_short(recorded[name])} in the record"
        if asked[name] != recorded[name]:
            return _changed(name, asked[name], recorded[name])
    return "the provider or base_url (the requests themselves are equal)"


def _fields(request: Request) -> Iterable[tuple[str, object]]:
    """The parts of a request in the order in which a difference is worth naming."""
    draw = request.draw
    yield from (("draw.user", draw.user), ("draw.round", draw.round), ("draw.replicate", draw.replicate))
    yield "model", request.model
    yield from ((f"params.{name}", value) for name, value in sorted(request.params.items()))
    for place, message in enumerate(request.messages):
        yield f"messages[{place}].role", message.role
        yield f"messages[{place}].content", message.content


def _changed(name: str, now: object, then: object) -> str:
    if not (isinstance(now, str) and isinstance(then, str)):
        return f"{name} is {_short(now)} now and {_short(then)} in the record"
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(now, then, strict=False)))
    start = max(0, same - 10)
    return f"{name} at character {same}: {_short(now[start:])} now and {_short(then[start:])} in the record"


def _short(value: object) -> str:
    text = repr(value[: _EXCERPT + 1] if isinstance(value, str) else value)
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "..."
