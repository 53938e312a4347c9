"""proposals.jsonl: what the recommender proposed, kept so that a replay needs neither model nor accelerator."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.trained_directory import whole_file
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from simulator.transcript.turns import Place


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
    sources: tuple[str, ...] = ()
    """Of each item, which recommender brought it; not written where there is one recommender."""

    @property
    def place(self) -> Place:
        """What it belongs to."""
        return (self.arm, self.phase, self.replicate, self.round, self.user_id)


def append_proposals(path: Path, proposals: Iterable[Proposal]) -> None:
    """Add proposals to the file, a line each, sealed by `sha256`, the hash of its other fields."""
    with path.open("ab") as file:
        file.writelines(map(_line, proposals))


def write_proposals(path: Path, proposals: Iterable[Proposal]) -> None:
    """Put these in the place of what the file holds, whole or not at all."""
    with whole_file(path) as file:
        file.writelines(map(_line, proposals))


def resumed_proposals(path: Path) -> dict[Place, Proposal]:
    """Those of a run that goes on: none where there is no file yet.

    A last line that a crash left without its end is cut off the file, to be proposed again.
    """
    if not path.exists():
        return {}
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(content.rfind(b"\n") + 1)
    return read_proposals(path)


def read_proposals(path: Path) -> dict[Place, Proposal]:
    """All proposals of a run by what they belong to; TranscriptError with file:line for damage."""
    found = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise TranscriptError(f"{path}: {error.strerror or error}; a replay needs it") from None
    for number, line in enumerate(lines, start=1):
        try:
            proposal = sealed_proposal(line)
        except ValueError as error:
            raise TranscriptError(
                f"{path}:{number}: not a proposal as it was written: {error}; restore the file from a copy"
            ) from None
        found[proposal.place] = proposal
    return found


def sealed_proposal(line: bytes) -> Proposal:
    """The proposal of one line; ValueError says how the line is not as it was written."""
    line = line.rstrip(b"\n")
    fields = json.loads(line)
    try:
        seal = fields.pop("sha256")
        # As it is written now the line is what was hashed, with the hash as a last field; before, its fields had another
        # order, and the hash was that of the sorted ones as well.
        if hashlib.sha256(line[:-_SEAL_LENGTH] + b"}").hexdigest() != seal and _hash(_sorted(fields)) != seal:
            raise ValueError("its sha256 does not fit its content")
        for name in ("items", "scores", "sources"):
            fields[name] = tuple(fields.get(name, ()))
        return Proposal(**fields)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"its fields are not those of a proposal ({error!r})") from None


def _line(proposal: Proposal) -> bytes:
    content = _sorted({name: value for name, value in vars(proposal).items() if name != "sources" or value})
    return content[:-1] + f', "sha256": "{_hash(content)}"}}\n'.encode("ascii")


def _sorted(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True).encode("ascii")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_SEAL_LENGTH = len(', "sha256": ""}') + 64
