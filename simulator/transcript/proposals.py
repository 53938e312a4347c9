"""proposals.jsonl: what the recommender proposed, kept so that a replay needs neither model nor accelerator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Proposal:
    """One slate: item ids, best first, and scores."""

    arm: str
    phase: str
    replicate: int
    round: int
    user_id: str
    items: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def place(self) -> tuple[str, str, int, int, str]:
        """What it belongs to."""
        return (self.arm, self.phase, self.replicate, self.round, self.user_id)


def append_proposals(path: Path, proposals: Iterable[Proposal]) -> None:
    """Add proposals to the file."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(vars(proposal), ensure_ascii=False) + "\n" for proposal in proposals)


def read_proposals(path: Path) -> dict[tuple[str, str, int, int, str], Proposal]:
    """All proposals of a run by what they belong to; TranscriptError with file:line for damage."""
    found = {}
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TranscriptError(f"{path}: {error.strerror or error}; a replay needs it") from None
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            fields = json.loads(line)
            fields["items"], fields["scores"] = tuple(fields["items"]), tuple(fields["scores"])
            proposal = Proposal(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise TranscriptError(f"{path}:{number}: not a proposal: {error}") from None
        found[proposal.place] = proposal
    return found
