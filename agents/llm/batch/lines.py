"""The files of a batch: a line for each request that goes in, and one for each that was answered or failed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agents.llm.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.llm.record import Attempt
    from agents.llm.types import Request

ENDPOINT: Final = "/v1/chat/completions"
"""What every line asks for."""


@dataclass(frozen=True)
class Call:
    """One call to be made in a batch."""

    key: str
    """Its `custom_id`: two draws of one text are two lines."""
    request: Request
    before: tuple[Attempt, ...] = ()
    """The tries of an earlier, failed call that is made again."""


@dataclass(frozen=True)
class Limits:
    """What one input file may hold."""

    requests: int = 50_000
    size: int = 200_000_000
    """Bytes."""


@dataclass(frozen=True)
class Line:
    """What the server says of one request of a batch."""

    status: int | None
    """HTTP status of its answer; None if it was not carried out."""
    body: Any
    """The answer, or the error, as JSON."""
    code: str | None
    message: str
    """Why it was not carried out."""


def input_files(calls: Sequence[Call], limits: Limits) -> Iterator[tuple[list[Call], bytes]]:
    """The calls in order, parted into files within the limits; made one at a time."""
    held: list[Call] = []
    lines: list[bytes] = []
    size = 0
    for call in calls:
        line = _input_line(call)
        if held and (len(held) == limits.requests or size + len(line) > limits.size):
            yield held, b"".join(lines)
            held, lines, size = [], [], 0
        held.append(call)
        lines.append(line)
        size += len(line)
    if held:
        yield held, b"".join(lines)


def output_lines(content: bytes) -> tuple[dict[str, Line], int]:
    """The lines of an output or error file by `custom_id`, and how many cannot be read."""
    found: dict[str, Line] = {}
    unreadable = 0
    for written in content.splitlines():
        if not written.strip():
            continue
        try:
            fields = json.loads(written)
            found[str(fields["custom_id"])] = _line(fields)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            unreadable += 1
    return found, unreadable


def _input_line(call: Call) -> bytes:
    line = {"custom_id": call.key, "method": "POST", "url": ENDPOINT, "body": call.request.body()}
    return canonical_json(line).encode("ascii") + b"\n"


def _line(fields: dict[str, Any]) -> Line:
    response, error = fields.get("response") or {}, fields.get("error") or {}
    status = response.get("status_code")
    return Line(
        status=status if isinstance(status, int) and status else None,
        body=response.get("body"),
        code=error.get("code"),
        message=str(error.get("message") or error or "no reason given"),
    )
