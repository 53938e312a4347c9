"""What a planned call ended in, and where that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.llm.types import Completion, Request

Source = Literal["client", "cache", "recording", "journal"]


@dataclass(frozen=True)
class Attempt:
    """One try of a call: why it failed (None: it was answered), the HTTP status if it failed with one, seconds."""

    error: str | None
    status: int | None
    seconds: float
    unspent: bool = False
    """The server said, otherwise than by a status, that it did not carry it out (a batch that expired): it cost nothing."""


@dataclass(frozen=True)
class Record:
    """The one end of one planned call: a completion, or an error and no completion."""

    key: str
    request: Request
    attempts: tuple[Attempt, ...]
    """In order; empty if nothing was sent (a cached answer, or a run that had been stopped)."""
    completion: Completion | None
    error: str | None
    source: Source
    started: str
    """ISO 8601, UTC."""
    seconds: float
    """From the start to the end, waits between the tries included."""
    halting: bool = False
    """A failure that ended the sending of the whole run (a refused key, a cap reached): a resumed run makes it again."""


class Answers(Protocol):
    """Answers that need no call."""

    source: Source
    """How records name them."""

    def get(self, key: str) -> Completion | None:
        """The answer to the call of this key, if there is one."""
        ...


class Journal(Protocol):
    """The record of a run's calls; truth for replay and resume."""

    def get(self, key: str) -> Record | None:
        """The record of this call if it has ended, answered or failed."""
        ...

    def append(self, records: Sequence[Record]) -> None:
        """Keep ended calls; when it returns they survive a crash. Called from one thread at a time."""
        ...

    def records(self) -> Iterator[Record]:
        """All records, in the order kept."""
        ...
