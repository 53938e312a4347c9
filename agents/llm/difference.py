"""Where two requests, or two answers, first differ, in words."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.llm.record import Record
    from agents.llm.types import Request

_EXCERPT = 40
_ABSENT = object()


class Difference(NamedTuple):
    """One field that differs; a side that does not have it is None and `absent`."""

    field: str
    first: object
    second: object
    absent: str | None = None
    """"first" or "second" where one side has no such field."""

    def told(self, first: str, second: str) -> str:
        """A sentence; `first` and `second` are what the two sides are called, such as "now" and "in the record"."""
        if self.absent == "second":
            return f"{self.field} is {short(self.first)} {first} and absent {second}"
        if self.absent == "first":
            return f"{self.field} is absent {first} and {short(self.second)} {second}"
        one, other = self.first, self.second
        if not (isinstance(one, str) and isinstance(other, str)):
            return f"{self.field} is {short(one)} {first} and {short(other)} {second}"
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
        start = max(0, same - 10)
        return f"{self.field} at character {same}: {short(one[start:])} {first} and {short(other[start:])} {second}"


def request_difference(one: Request, other: Request) -> Difference | None:
    """The first field in which two requests differ, draw and model before the messages; None if they are equal."""
    return first_difference(_request_fields(one), _request_fields(other))


def answer_difference(one: Record, other: Record) -> Difference | None:
    """The first field in which two ends of a call differ, times and attempts apart; None if they are equal."""
    return first_difference(_answer_fields(one), _answer_fields(other))


def first_difference(
    one: Iterable[tuple[str, object]], other: Iterable[tuple[str, object]]
) -> Difference | None:
    """The first of the named values that differs, in the order of the first side, then of what only the second has."""
    mine, theirs = dict(one), dict(other)
    for name in mine | theirs:
        first, second = mine.get(name, _ABSENT), theirs.get(name, _ABSENT)
        if first is _ABSENT:
            return Difference(name, None, second, "first")
        if second is _ABSENT:
            return Difference(name, first, None, "second")
        if first != second:
            return Difference(name, first, second)
    return None


def short(value: object) -> str:
    """A value as it fits into a sentence."""
    text = repr(value[: _EXCERPT + 1] if isinstance(value, str) else value)
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "..."


def _request_fields(request: Request) -> Iterable[tuple[str, object]]:
    """The parts of a request in the order in which a difference is worth naming."""
    draw = request.draw
    yield from ((f"draw.{name}", value) for name, value in vars(draw).items())
    yield "model", request.model
    yield from ((f"params.{name}", value) for name, value in sorted(request.params.items()))
    for place, message in enumerate(request.messages):
        yield f"messages[{place}].role", message.role
        yield f"messages[{place}].content", message.content


def _answer_fields(record: Record) -> Iterable[tuple[str, object]]:
    yield "error", record.error
    if (said := record.completion) is None:
        return
    yield from (("text", said.text), ("finish_reason", said.finish_reason), ("model", said.model))
    yield from ((f"usage.{name}", count) for name, count in vars(said.usage).items())
    yield from (("reasoning", said.reasoning), ("logprobs", said.logprobs))
