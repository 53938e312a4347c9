"""`calls.jsonl`: one line per ended call, durable before anybody hears of it; truth for replay and resume."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from typing import TYPE_CHECKING, Any, Literal, Self

from agents.llm.canonical import canonical_json
from agents.llm.record import Attempt, Record
from agents.llm.written import completion_fields, completion_of, request_fields, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import FileIO
    from pathlib import Path
    from types import TracebackType

_log = logging.getLogger(__name__)

_KEY, _KEY_LENGTH = b'"key":"', 64
_FOREIGN = "its fields are not those of a call ({}); another version may have written it"
_SEAL = b',"sha256":"'
_SEAL_LENGTH = len(_SEAL) + 64 + len(b'"}')


class JournalError(ValueError):
    """A journal cannot be used; the message says where (file:line), why, and what to do."""


class CallJournal:
    """The calls of one run, read from `path` and, with mode "append", added to it.

    A line is the canonical JSON of its payload (`attempts, completion, error, key, request, seconds, source,
    started, usage`) with `sha256`, the hash of that payload, as a last field. Every line is checked when the file
    is opened. A last line that was cut short by a crash is dropped and reported in `torn`; anything else that is
    not as written raises JournalError. "append" cuts a torn line off the file; "read" leaves the file as it is and
    raises JournalError if there is none. Only positions are held in memory; of two lines with one key the later
    counts. One process appends at a time. `data`, the name of the data that the calls are about, is put into every
    line that is added.
    """

    def __init__(self, path: Path, mode: Literal["append", "read"], data: str | None = None) -> None:
        self.path = path
        self._labels = {} if data is None else {"data": data}
        self.torn: str | None = None
        """What was dropped from the end of the file, if anything."""
        self._places: dict[str, tuple[int, int]] = {}
        """Where the line of a key is: offset and length in bytes."""
        self._end = 0
        self._writer: FileIO | None = None
        try:
            if mode == "append":
                self._writer = path.open("ab", buffering=0)
                _sync_folder(path)
            self._reader = path.open("rb")
        except OSError as error:
            raise JournalError(f"{path}: cannot open the journal of calls ({error.strerror})") from error
        try:
            self._load()
        except JournalError:
            self.close()
            raise

    def get(self, key: str) -> Record | None:
        """The record of this call if it has ended."""
        place = self._places.get(key)
        return None if place is None else self._read(place)

    def append(self, records: Sequence[Record]) -> None:
        """Write the records and wait until they are on the disk; after a failed write nothing more is accepted."""
        lines = [_line(self._labels | _fields(record)) for record in records]
        self._write(b"".join(lines))
        for record, line in zip(records, lines, strict=True):
            self._places[record.key] = (self._end, len(line))
            self._end += len(line)

    def records(self) -> Iterator[Record]:
        """All records, in the order kept."""
        for place in list(self._places.values()):
            yield self._read(place)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        if self._writer is not None:
            self._writer.close()

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, place: tuple[int, int]) -> Record:
        offset, length = place
        line = os.pread(self._reader.fileno(), length, offset)
        try:
            return _record(json.loads(line))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            self._reader.seek(0)
            number = self._reader.read(offset).count(b"\n") + 1
            raise JournalError(f"{self.path}:{number}: {_FOREIGN.format(repr(error))}") from None

    def _write(self, lines: bytes) -> None:
        if self._writer is None or self._writer.closed:
            raise JournalError(
                f"{self.path}: the journal is not open for writing, or an earlier write failed"
            )
        try:
            left = memoryview(lines)
            while left:
                left = left[self._writer.write(left) :]
            os.fsync(self._writer.fileno())
        except OSError as error:
            # What reached the disk is unknown, and a further line could turn a torn end into a torn middle.
            self._writer.close()
            raise JournalError(
                f"{self.path}: calls cannot be kept ({error.strerror}); make room, then resume the run"
            ) from error

    def _load(self) -> None:
        lacking_end: tuple[int, bytes, str | None] | None = None
        for number, line in enumerate(self._reader, start=1):
            fault = None
            try:
                key = _key(_payload(line))
            except ValueError as error:
                fault = str(error)
            else:
                self._places[key] = (self._end, len(line))
                self._end += len(line)
            if not line.endswith(b"\n"):
                lacking_end = number, line, fault
            elif fault is not None:
                raise JournalError(
                    f"{self.path}:{number}: this line is not as it was written: {fault}. The record of the run is "
                    "damaged here: restore the file from a copy; a replay of what is left would not be this run"
                )
        if lacking_end is not None:
            self._mend_end(*lacking_end)

    def _mend_end(self, number: int, line: bytes, fault: str | None) -> None:
        """The last line lacks its end: drop it, or, if no more than the line break is missing, complete it."""
        if fault is None:
            if self._writer is not None:
                self._write(b"\n")
                self._end += 1
            return
        self.torn = f"{self.path}:{number}: dropped a last line cut short after {len(line)} bytes"
        _log.warning("%s", self.torn)
        if self._writer is not None:
            os.truncate(self._writer.fileno(), self._end)
            os.fsync(self._writer.fileno())


def sealed_record(line: bytes) -> Record:
    """The record of one line; ValueError says how the line is not as it was written."""
    fields = json.loads(_payload(line))
    try:
        return _record(fields)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(_FOREIGN.format(repr(error))) from None


def _key(payload: bytes) -> str:
    """The key of a sealed payload, without reading the rest.

    In JSON every quotation mark inside of a string has a backslash before it, so these bytes are the name of a field; and
    none of the fields that come before it in the order of the alphabet has one of that name.
    """
    start = payload.find(_KEY) + len(_KEY)
    key = payload[start : start + _KEY_LENGTH]
    if start < len(_KEY) or payload[start + _KEY_LENGTH : start + _KEY_LENGTH + 1] != b'"':
        raise ValueError(_FOREIGN.format("no key"))
    return key.decode("ascii", "replace")


def _sync_folder(path: Path) -> None:
    """Make the name of a new file durable, where the operating system lets folders be synced."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _line(fields: dict[str, Any]) -> bytes:
    """A sealed line: the canonical payload verbatim, so that checking it later takes no second encoding."""
    payload = canonical_json(fields).encode("ascii")
    return payload[:-1] + _SEAL + hashlib.sha256(payload).hexdigest().encode("ascii") + b'"}\n'


def _payload(line: bytes) -> bytes:
    """The payload of a sealed line; raises ValueError if the seal is missing or wrong."""
    body = line.removesuffix(b"\n")
    cut = len(body) - _SEAL_LENGTH
    if cut < 0 or not body.startswith(_SEAL, cut) or not body.endswith(b'"}'):
        raise ValueError("it does not end in a sha256")
    payload = body[:cut] + b"}"
    if hashlib.sha256(payload).hexdigest().encode("ascii") != body[cut + len(_SEAL) : -2]:
        raise ValueError("its sha256 does not fit its content")
    return payload


def _fields(record: Record) -> dict[str, Any]:
    return {
        "key": record.key,
        "request": request_fields(record.request),
        "attempts": [_attempt_fields(attempt) for attempt in record.attempts],
        **completion_fields(record.completion),
        "error": record.error,
        "source": record.source,
        "started": record.started,
        "seconds": record.seconds,
        **({"halting": True} if record.halting else {}),
    }


def _attempt_fields(attempt: Attempt) -> dict[str, Any]:
    fields = {"error": attempt.error, "status": attempt.status, "seconds": attempt.seconds}
    return fields | ({"unspent": True} if attempt.unspent else {})


def _record(fields: dict[str, Any]) -> Record:
    return Record(
        key=fields["key"],
        request=request_of(fields["request"]),
        attempts=tuple(Attempt(**attempt) for attempt in fields["attempts"]),
        completion=completion_of(fields),
        error=fields["error"],
        source=fields["source"],
        started=fields["started"],
        seconds=fields["seconds"],
        halting=fields.get("halting", False),
    )
