"""What the commands of a transcript print: sentences, or one JSON document."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from recommender.data.dataset import DataError
from recommender.trained_directory import DirectoryError
from simulator.scenario import ScenarioError
from simulator.transcript.journal import JournalError
from simulator.transcript.members import ArchiveError
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from simulator.transcript.comparing import Comparison
    from simulator.transcript.members import Member
    from simulator.transcript.verification import Verification

MISTAKES = (ArchiveError, DataError, DirectoryError, JournalError, ScenarioError, TranscriptError)
"""What a user can mend: each message says what is wrong, where, and what to do."""
_MOST_FAULTS, _MOST_METRICS = 50, 20


def show_verification(found: Verification, *, as_json: bool) -> None:
    """Print what was checked, what could not be, and what is wrong."""
    lines = [f"checked: {line}" for line in found.checked]
    lines += [f"note: {line}" for line in found.notes]
    lines += [f"fault: {line}" for line in found.faults[:_MOST_FAULTS]]
    if (more := len(found.faults) - _MOST_FAULTS) > 0:
        lines.append(f"fault: {more:,} more; --json lists all")
    state = "whole" if found.complete else "whole as far as it has come, and unfinished"
    lines.append(f"{found.path}: {state if found.whole else f'damaged, {len(found.faults):,} faults'}")
    _print(
        lines,
        {
            "path": str(found.path),
            "whole": found.whole,
            "complete": found.complete,
            "checked": found.checked,
            "notes": found.notes,
            "faults": found.faults,
        }
        if as_json
        else None,
    )


def show_members(file: Path, members: Sequence[Member], *, as_json: bool) -> None:
    """Print what was packed."""
    lines = [f"{member.sha256}  {member.name} ({member.bytes:,} bytes)" for member in members]
    lines.append(f"packed: {file} ({file.stat().st_size:,} bytes)")
    listed = {"path": str(file), "members": [vars(member) for member in members]}
    _print(lines, listed if as_json else None)


def show_comparison(found: Comparison, *, as_json: bool) -> None:
    """Print in what two runs differ, the first of all and how often."""
    lines = [f"scenario: {line}" for line in found.scenario]
    lines += [f"manifest: {line}" for line in found.manifest]
    if found.first_turn is not None:
        lines.append(f"first turn that differs: {found.first_turn}")
    if found.first_call is not None:
        lines.append(f"behind it: {found.first_call}")
    lines += [f"turns: {_counted(found.turns)}", f"calls: {_counted(found.calls)}"]
    lines += [f"metrics: {line}" for line in found.metrics[:_MOST_METRICS]]
    if (more := len(found.metrics) - _MOST_METRICS) > 0:
        lines.append(f"metrics: {more:,} more values differ; --json lists all")
    lines.append(f"{found.first} and {found.second}: {'equal' if found.equal else 'different'}")
    told = {**vars(found), "first": str(found.first), "second": str(found.second), "equal": found.equal}
    _print(lines, told if as_json else None)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == "equal")


def _print(lines: Sequence[str], document: Any) -> None:
    """The lines; with a document, that on standard output and the lines on standard error."""
    for line in lines:
        print(line, file=sys.stdout if document is None else sys.stderr)
    if document is not None:
        print(json.dumps(document, ensure_ascii=False))
