"""What a case is: something broken, an entry that is given it, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.data import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Sandbox:
    """The folders of one case, side by side; only `cache` and `target` may be written to by what is tested."""

    root: Path

    @property
    def data(self) -> Path:
        """What is read."""
        return self.root / "data"

    @property
    def target(self) -> Path:
        """Where archives and pictures are to come out."""
        return self.root / "target"

    @property
    def cache(self) -> Path:
        """SCREENTEST_CACHE."""
        return self.root / "cache"

    @property
    def canary(self) -> Path:
        """Nobody's business: the working folder, and where whatever breaks out is led to."""
        return self.root / "canary"

    @property
    def temporary(self) -> Path:
        """TMPDIR; empty again at the end."""
        return self.root / "temporary"


@dataclass(frozen=True)
class Read:
    """What came out, held against what went in."""

    missing: int = 0
    """Good rows, items or files that did not come out."""
    invented: int = 0
    """What came out and never went in."""
    malformed: int = 0
    """Counted by the reader itself."""
    repeated: int = 0
    """As `malformed`."""
    first: str = ""
    """What is said of the first of those that were counted."""


@dataclass(frozen=True)
class Refused:
    """An error whose message names `file` (and `line`) and matches the pattern `says`."""

    file: str
    says: str
    line: int | None = None
    error: type[Exception] = DataError


@dataclass(frozen=True)
class Counted:
    """All that is good comes out, exactly what is bad is counted, and `first` stands in what is said of the first."""

    first: str
    malformed: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Whole:
    """All of it comes out and nothing is counted: the oddity is harmless."""


@dataclass(frozen=True)
class Case:
    """One broken thing given to one entry."""

    kind: str
    """What is broken; the same thing is given to several entries."""
    entry: str
    expects: Refused | Counted | Whole
    prepare: Callable[[Sandbox], None]
    """Write what is broken to the sandbox."""
    read: Callable[[Sandbox], Read]
    """Give it to the entry."""
    slow: bool = False
    """Left out by --quick."""
