"""proposals.jsonl: what the recommender proposed, kept so that a replay needs neither model nor accelerator."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Proposal:
    """One slate: item ids, best first, and scores."""

    data: str
    """Name of the data; says so where they are synthetic."""
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
    """Add proposals to the file, a line each, sealed by `sha256`, the hash of its other fields."""
    with path.open("a", encoding="ascii", newline="\n") as file:
        file.writelines(
            json.dumps({**vars(proposal), "sha256": _seal(vars(proposal))}) + "\n" for proposal in proposals
        )


def read_proposals(path: Path) -> dict[tuple[str, str, int, int, str], Proposal]:
    """All proposals of a run by what they belong to; TranscriptError with file:line for damage."""
    found = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise TranscriptError(f"{path}: {error.strerror or error}; a replay needs it") from None
    for number, line in enumerate(lines, start=1):
        try:
            proposal = _proposal(json.loads(line))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise TranscriptError(
                f"{path}:{number}: not a proposal as it was written: {error}; restore the file from a copy"
            ) from None
        found[proposal.place] = proposal
    return found


def _proposal(fields: dict[str, Any]) -> Proposal:
    if fields.pop("sha256") != _seal(fields):
        raise ValueError("its sha256 does not fit its content")
    return Proposal(**{**fields, "items": tuple(fields["items"]), "scores": tuple(fields["scores"])})


def _seal(fields: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode("ascii")).hexdigest()
