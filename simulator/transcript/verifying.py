"""Whether the record of a run is whole: every line as it was written, and every file in agreement with the others."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any, TypeVar

from agents.llm.key import request_key
from recommender.trained_directory import read_json
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import sealed_record
from simulator.transcript.manifest import recorded_arms
from simulator.transcript.proposals import sealed_proposal
from simulator.transcript.provenance import check_provenance
from simulator.transcript.turn_checks import Call, TurnChecks, named
from simulator.transcript.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from agents.llm import Endpoint, Record
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Place

_Value = TypeVar("_Value")
_RESTORE = "restore the file from a copy"


def verify(path: Path) -> Verification:
    """Check a run directory, line by line; TranscriptError or DirectoryError if there is no run.

    A run that is not finished is checked as far as it goes.
    """
    run = RunDirectory.begun(path)
    found = Verification(path, run.complete)
    manifest = read_json(run.manifest)
    scenario = check_provenance(run, manifest, found)
    calls = _check_calls(run, manifest, found)
    slates = _check_proposals(run, found)
    if not run.complete:
        found.notes.append(
            f"this run is not finished: its turns and metrics are still to come (python -m simulator.run --resume {path})"
        )
        return found
    trained = [each.training for each in run.all_trained()]
    for file in (*trained, run.turns, run.metrics, run.per_user, run.summary):
        if not file.is_file():
            found.fault(file, None, f"no such file, and the run is complete; {_RESTORE}, or replay the run")
    if run.turns.is_file():
        TurnChecks(run, manifest, scenario, calls, slates, found).check()
    return found


def _check_calls(run: RunDirectory, manifest: Mapping[str, Any], found: Verification) -> dict[str, Call]:
    """The last end of each call by key."""
    calls: dict[str, Call] = {}
    before, lines = len(found.faults), 0
    try:
        endpoints = {arm.endpoint for arm in recorded_arms(manifest).values()}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        found.fault(run.manifest, None, f"it does not say who was asked ({error!r}); {_RESTORE}")
        return calls
    for number, record in _lines(run, run.calls, sealed_record, found):
        lines += 1
        fault = _fault_of(record, calls, endpoints)
        if fault is not None:
            found.fault(run.calls, number, f"{fault}; {_RESTORE}")
        calls[record.key] = Call(record.request.draw, record.error)
    again = lines - len(calls)
    found.hold(
        before,
        f"{run.calls.name}: {lines:,} lines fit their hash, {len(calls):,} keys fit their requests"
        + (f", {again:,} of them made again after they had failed" if again else ", none twice"),
    )
    return calls


def _fault_of(record: Record, calls: Mapping[str, Call], endpoints: Collection[Endpoint]) -> str | None:
    earlier = calls.get(record.key)
    if earlier is not None and earlier.error is None:
        return f"call {record.key[:12]} is there twice, though it was answered the first time"
    if (record.error is None) is (record.completion is None):
        return f"call {record.key[:12]} has to have either an answer or an error"
    if not any(request_key(record.request, *astuple(endpoint)) == record.key for endpoint in endpoints):
        return f"key {record.key[:12]} is not that of the request beside it, asked of the endpoint in manifest.json"
    return None


def _check_proposals(run: RunDirectory, found: Verification) -> dict[Place, Proposal]:
    slates: dict[Place, Proposal] = {}
    before = len(found.faults)
    for number, proposal in _lines(run, run.proposals, sealed_proposal, found):
        if proposal.place in slates:
            found.fault(
                run.proposals, number, f"the slate of {named(proposal.place)} is there twice; {_RESTORE}"
            )
        slates[proposal.place] = proposal
    found.hold(before, f"{run.proposals.name}: {len(slates):,} lines fit their hash, no slate twice")
    return slates


def _lines(
    run: RunDirectory, path: Path, read: Callable[[bytes], _Value], found: Verification
) -> Iterator[tuple[int, _Value]]:
    """Numbered lines that are as they were written; the others become faults, or a note for a torn end."""
    try:
        file = path.open("rb")
    except OSError as error:
        if run.complete or path.exists():
            found.fault(path, None, f"{error.strerror or error}; {_RESTORE}")
        return
    with file:
        for number, line in enumerate(file, start=1):
            ended = line.endswith(b"\n")
            if not (ended or run.complete):
                found.notes.append(f"{path}:{number}: cut short; a resumed run drops it, or completes it")
                continue
            try:
                value = read(line)
            except ValueError as error:
                found.fault(path, number, f"this line is not as it was written: {error}; {_RESTORE}")
                continue
            if not ended:
                found.fault(path, number, f"its line break is missing; {_RESTORE}")
            yield number, value
