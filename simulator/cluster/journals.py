"""The calls of shards on disk: each in a file of its own while a run is at it, all in calls.jsonl after."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from simulator.transcript.journal import CallJournal, JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agents.llm import Record
    from simulator.transcript.directory import RunDirectory

_WAIT_SECONDS = 30.0
"""For a process that is dying to let go of its file."""


class ShardJournal:
    """What one shard's users were answered: before this session, in `earlier`, and in it, in a file of the shard's own.

    The file is locked, so that of two actors of a shard the second begins only when the first is gone for good. Raises JournalError
    if it does not go, or if the files cannot be read here.
    """

    def __init__(self, earlier: Path, own: Path, data: str) -> None:
        self._lock = _locked(own)
        try:
            self._own = CallJournal(own, "append", data=data)
            self._earlier = CallJournal(earlier, "read")
        except BaseException:
            self._lock.release()
            raise

    def get(self, key: str) -> Record | None:
        """The record of this call if it has ended."""
        return self._own.get(key) or self._earlier.get(key)

    def append(self, records: Sequence[Record]) -> None:
        """Keep ended calls in the shard's file; when it returns they survive a crash."""
        self._own.append(records)

    def records(self) -> Iterator[Record]:
        """All records, those of this session last."""
        yield from self.earlier()
        yield from self._own.records()

    def earlier(self) -> Iterator[Record]:
        """Those of the sessions before which are still the newest of their call."""
        return (record for record in self._earlier.records() if self._own.get(record.key) is None)

    def close(self) -> None:
        """Close the files, and let go of the shard's."""
        self._own.close()
        self._earlier.close()
        self._lock.release()


def gather(directory: RunDirectory) -> None:
    """Put the calls of all shards behind those of calls.jsonl, and remove their files.

    May be interrupted at any point and done again: of two lines with one key the later counts, and these are the same.
    """
    if not directory.shards.is_dir():
        return
    for file in sorted(directory.shards.glob("*.jsonl"), key=lambda file: (len(file.name), file.name)):
        with _locked(file):
            CallJournal(file, "append").close()  # drops a last line that was cut short
            CallJournal(directory.calls, "append").close()  # as above: nothing may follow one
            with directory.calls.open("ab") as calls:
                calls.write(file.read_bytes())
                calls.flush()
                os.fsync(calls.fileno())
            file.unlink()
    for file in directory.shards.iterdir():
        file.unlink()
    directory.shards.rmdir()


def _locked(file: Path) -> FileLock:
    lock = FileLock(file.with_suffix(".lock"))
    try:
        lock.acquire(timeout=_WAIT_SECONDS)
    except Timeout:
        raise JournalError(
            f"{file}: an actor of this run is still writing here; wait for its end, or stop the Ray cluster, and go on"
        ) from None
    except OSError as error:
        raise JournalError(
            f"{file}: the run directory cannot be written to from here ({error.strerror}); of a cluster, put it with --out on a "
            "file system that all of its machines share"
        ) from None
    return lock
