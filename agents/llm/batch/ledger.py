"""`batches.jsonl`: which batches a run has sent, so that after a crash they are waited for and not sent again."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agents.llm.types import ClientSetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agents.llm.batch.lines import Call
    from agents.llm.record import Journal


@dataclass(frozen=True)
class Planned:
    """A batch that was about to be sent, or was, and whose answers are not all in the journal."""

    token: str
    """What the batch is marked with at the server."""
    started: datetime
    """When it was about to be sent."""
    calls: Mapping[str, int]
    """How many tries each call had had before, by key."""
    id: str | None = None
    """The server's name of it; None if it is not known whether the server got it."""


class BatchLedger:
    """Appends a line, and waits until it is on the disk, before a batch is sent, after it was, and when it has ended.

    A last line that was cut short by a crash is dropped: what it would have said is found out again. Raises ClientSetupError
    where the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[str, Planned] = {}
        self._load()

    def open(self, journal: Journal) -> list[Planned]:
        """The batches that are not ended, each with the calls only whose answers the journal lacks.

        One that lacks none is noted as ended: the crash came between the two.
        """
        for planned in list(self._open.values()):
            lacking = {
                key: tries for key, tries in planned.calls.items() if not _is_kept(journal, key, tries)
            }
            if lacking:
                self._open[planned.token] = replace(planned, calls=lacking)
            else:
                self.end(planned, "kept")
        return list(self._open.values())

    def plan(self, calls: Sequence[Call]) -> Planned:
        """Note that these calls are about to be sent."""
        tries = {call.key: len(call.before) for call in calls}
        planned = Planned(uuid.uuid4().hex, datetime.now(UTC), tries)
        self._write({"batch": planned.token, "planned": planned.started.isoformat(), "calls": tries})
        self._open[planned.token] = planned
        return planned

    def submitted(self, planned: Planned, server_id: str) -> Planned:
        """Note what the server calls the batch."""
        self._write({"batch": planned.token, "id": server_id})
        self._open[planned.token] = replace(planned, id=server_id)
        return self._open[planned.token]

    def end(self, planned: Planned, how: str) -> None:
        """Note that nothing of the batch is waited for any more."""
        self._write({"batch": planned.token, "ended": how})
        del self._open[planned.token]

    def _load(self) -> None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ClientSetupError(f"{self._path}: cannot be read ({error.strerror})") from error
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                self._apply(json.loads(line))
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise ClientSetupError(
                    f"{self._path}:{number}: this line is not as it was written ({error!r}). It says which batches are at "
                    "the server: restore the file from a copy. Without the file their calls are sent, and paid for, again"
                ) from error
        if len(content) > len(whole):
            os.truncate(self._path, len(whole))

    def _apply(self, line: dict[str, Any]) -> None:
        token = line["batch"]
        if "planned" in line:
            self._open[token] = Planned(token, datetime.fromisoformat(line["planned"]), line["calls"])
        elif "id" in line:
            self._open[token] = replace(self._open[token], id=line["id"])
        else:
            del self._open[token]

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            is_new = not self._path.exists()
            with self._path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            if is_new and os.name == "posix":
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except OSError as error:
            raise ClientSetupError(
                f"{self._path}: batches cannot be noted ({error.strerror}); make room, then resume the run"
            ) from error


def _is_kept(journal: Journal, key: str, tries: int) -> bool:
    """Whether the record of a call came after its batch was planned."""
    record = journal.get(key)
    return record is not None and (record.completion is not None or len(record.attempts) > tries)
