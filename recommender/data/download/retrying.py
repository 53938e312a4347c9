"""What is asked for once more, and after how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenacity import RetryCallState

PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be another at the next attempt."""


class PassingError(Exception):
    """An attempt failed in a way that may pass; `wait` are the seconds that the server asks for, if it does."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


@dataclass(frozen=True)
class Patience:
    """How long a download bears with a server."""

    attempts: int = 5
    first_wait: float = 1.0
    """Seconds before the second attempt, doubled from there on."""
    longest_wait: float = 60.0
    """Seconds; a server that asks for more is left alone, not asked earlier."""

    def bears(self, error: BaseException) -> bool:
        """Whether `error` is one that is waited for."""
        return isinstance(error, PassingError) and (error.wait is None or error.wait <= self.longest_wait)

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what the server asked for, else doubled each time."""
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, PassingError) and error.wait is not None:
            return error.wait
        return min(self.longest_wait, self.first_wait * 2.0 ** (state.attempt_number - 1))


PATIENCE = Patience()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, said as seconds or as a date (RFC 9110, 10.2.3); None if it does not."""
    said = headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return None
    if date.tzinfo is None:  # "-0000", the one form that parses without a zone, means UTC
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def user_agent() -> str:
    """How requests name us, so that an administrator can tell who it was."""
    try:
        return f"Screentest/{version('screentest')} (recommender research)"
    except PackageNotFoundError:  # run from a checkout
        return "Screentest (recommender research)"
