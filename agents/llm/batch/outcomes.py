"""What came of the calls of a batch: a record for each, from the lines of its files and from how it ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.llm.batch.lines import output_lines
from agents.llm.call import SETUP_STATUSES
from agents.llm.record import Attempt, Record
from agents.llm.types import CallError, NoLogprobsError, check_logprobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agents.llm.batch.api import Batch, BatchApi
    from agents.llm.batch.lines import Call, Line
    from agents.llm.types import Completion

_AGAIN = "to make it again: --resume with --retry-errors"
_NOT_CARRIED_OUT = {"batch_expired": "expired", "batch_cancelled": "was cancelled"}
"""What codes of lines say of requests that were not begun."""
_ENDED_EARLY = {"expired": "expired", "cancelled": "was cancelled"}


@dataclass(frozen=True)
class BatchOutcome:
    """The records of a batch's calls, in the order of the calls."""

    records: list[Record]
    refusal: str | None
    """Why no call can succeed, if none did."""
    warnings: list[str]
    """What of the files belongs to no call."""


def read_batch(
    api: BatchApi,
    batch: Batch,
    calls: Sequence[Call],
    files: Sequence[bytes],
    started: datetime,
    seconds: float,
) -> BatchOutcome:
    """Match the lines of a batch's output and error file to its calls; `started` and `seconds` are of the batch."""
    lines: dict[str, Line] = {}
    unreadable = 0
    for content in files:
        found, bad = output_lines(content)
        lines = found | lines  # of two lines of a call, that of the first file, which holds the answers
        unreadable += bad
    when = started.isoformat(timespec="milliseconds")
    refused: list[str] = []
    records = [_record(api, batch, call, lines.get(call.key), when, seconds, refused) for call in calls]
    refusal = None if any(record.completion for record in records) else _refusal(batch, refused)
    if refusal is not None:
        records = [replace(record, halting=True) for record in records]
    foreign = len(lines.keys() - {call.key for call in calls})
    warnings = [
        f"{count} lines of its files {what}"
        for count, what in (
            (unreadable, "cannot be read"),
            (foreign, "belong to none of the calls waited for"),
        )
        if count
    ]
    return BatchOutcome(records, refusal, warnings)


def _record(
    api: BatchApi,
    batch: Batch,
    call: Call,
    line: Line | None,
    started: str,
    seconds: float,
    refused: list[str],
) -> Record:
    """A call's record; refusals of key, model or quota are added to `refused`."""
    completion: Completion | None = None
    status, unspent = None, False
    if line is None:
        error, unspent = _missing(batch)
    elif line.status is None:
        error, unspent = _not_answered(api, batch, line), True
    else:
        try:
            said = api.completion(line, call.request.model)
            check_logprobs(call.request, said)
            completion, error = said, None
        except CallError as failure:
            error, status = str(failure), failure.status
            setup = failure.status in SETUP_STATUSES or isinstance(failure, NoLogprobsError)
            if setup and not failure.retryable:
                refused.append(error)
    attempt = Attempt(error, status, round(seconds, 6), unspent=unspent)
    return Record(
        call.key,
        call.request,
        (*call.before, attempt),
        completion,
        error,
        "client",
        started,
        round(seconds, 6),
    )


def _missing(batch: Batch) -> tuple[str, bool]:
    """Why a call has no line, and whether it surely cost nothing."""
    if batch.status == "failed":
        return f"the server rejects batch {batch.id} as a whole: {batch.errors}", True
    if (how := _ENDED_EARLY.get(batch.status)) is not None:
        return f"batch {batch.id} {how} before this call was made, which costs nothing; {_AGAIN}", True
    return f"the files of batch {batch.id} ({batch.status}) have no line of this call; {_AGAIN}", False


def _not_answered(api: BatchApi, batch: Batch, line: Line) -> str:
    if (how := _NOT_CARRIED_OUT.get(line.code or "")) is not None:
        return f"batch {batch.id} {how} before this call was made, which costs nothing; {_AGAIN}"
    said = api.clean(f"{line.code or 'error'}: {line.message}")
    return f"batch {batch.id} did not carry this call out: {said}; {_AGAIN}"


def _refusal(batch: Batch, refused: Sequence[str]) -> str | None:
    """Why no call of the batch was answered, where the next batch would fare alike."""
    if batch.status == "failed":
        advice = (
            "wait until batches under way have ended, then resume"
            if "token_limit" in batch.errors
            else "mend it, then resume"
        )
        return f"the server rejects batch {batch.id} as a whole: {batch.errors} ({advice})"
    return refused[0] if refused else None
