"""What a check of a run directory found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Verification:
    """Findings about one run; it is whole if there is no fault."""

    path: Path
    complete: bool
    """The run came to its end; one that did not is checked as far as it goes."""
    checked: list[str] = field(default_factory=list)
    """What was checked and held, with counts."""
    notes: list[str] = field(default_factory=list)
    """What could not be checked here, and why; no fault of the run."""
    faults: list[str] = field(default_factory=list)
    """Where (file:line), what is wrong, and what to do."""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong with what is there."""
        return not self.faults

    def hold(self, before: int, what: str) -> None:
        """Note that something was checked, unless faults were added since there were `before`."""
        if len(self.faults) == before:
            self.checked.append(what)

    def fault(self, where: Path, line: int | None, what: str) -> None:
        """Add a fault."""
        self.faults.append(f"{where}{'' if line is None else f':{line}'}: {what}")
