"""The ways in which endpoints fail, and streams of them for a server to go through."""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Fault(Enum):
    """What a request meets instead of a plain answer."""

    SLOW = "waits `fault_wait` seconds before it answers"
    DRIP = "answers, but one byte at a time over `fault_wait` seconds"
    LENGTH = "answers half the text, with finish_reason length"
    REFUSAL = "answers by message.refusal, with content null"
    NO_USAGE = "answers without usage"
    RATE_SECONDS = "429, Retry-After in seconds"
    RATE_DATE = "429, Retry-After as an HTTP date"
    RATE_MS = "429, retry-after-ms"
    RATE_BARE = "429 without a hint"
    ERROR_408 = "408"
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    CUT_BEFORE = "connection closed before the answer"
    CUT_BODY = "connection closed in the middle of the body"
    RESET_BODY = "connection reset (TCP RST) in the middle of the body"
    INVALID_JSON = "200 with a body that is no JSON"
    GARBAGE = "200 with a body of bytes that are no text"
    EMPTY_CHOICES = "200 with no choices"
    HANG = "no answer, until the client goes away"
    BAD_REQUEST = "400"
    BAD_KEY = "401, quoting the key it was given"
    FORBIDDEN = "403"
    NO_MODEL = "404"
    NO_QUOTA = "429, insufficient_quota"

    @property
    def status(self) -> int:
        """The HTTP status that it is sent with; 0 where none is sent."""
        return _STATUS.get(self, 0 if self in _SILENT else 200)


_STATUS = {
    Fault.RATE_SECONDS: 429,
    Fault.RATE_DATE: 429,
    Fault.RATE_MS: 429,
    Fault.RATE_BARE: 429,
    Fault.ERROR_408: 408,
    Fault.ERROR_500: 500,
    Fault.ERROR_502: 502,
    Fault.ERROR_503: 503,
    Fault.BAD_REQUEST: 400,
    Fault.BAD_KEY: 401,
    Fault.FORBIDDEN: 403,
    Fault.NO_MODEL: 404,
    Fault.NO_QUOTA: 429,
}
_SILENT = (Fault.CUT_BEFORE, Fault.HANG)

ANSWERS = (None, Fault.SLOW, Fault.DRIP, Fault.LENGTH, Fault.REFUSAL, Fault.NO_USAGE)
"""After these the client has an answer, such as it is."""

TRANSIENT = tuple(
    fault
    for fault in Fault
    if fault.name.startswith(("RATE", "ERROR", "CUT", "RESET"))
    or fault in (Fault.INVALID_JSON, Fault.GARBAGE, Fault.EMPTY_CHOICES)
)
"""Faults after which the same request may be answered."""

FINAL = (Fault.BAD_REQUEST, Fault.BAD_KEY, Fault.FORBIDDEN, Fault.NO_MODEL, Fault.NO_QUOTA)
"""Faults that the same request meets again."""


def seeded_faults(rate: float, seed: int, kinds: Sequence[Fault] = TRANSIENT) -> Iterator[Fault | None]:
    """An endless stream in which each request meets one of `kinds` with probability `rate`."""
    draw = random.Random(seed)
    while True:
        yield draw.choice(kinds) if draw.random() < rate else None
