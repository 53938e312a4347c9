"""Answers shared between runs and processes: only an accelerator, safe to delete at any time."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from typing import TYPE_CHECKING

import diskcache

from agents.llm.canonical import canonical_json
from agents.llm.written import completion_fields, completion_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from agents.llm.record import Source
    from agents.llm.types import Completion

_log = logging.getLogger(__name__)


class CacheError(ValueError):
    """The cache folder cannot be used; the message says what to do."""


class ResponseCache:
    """Successful completions by request key, in a folder on a local file system.

    Nothing is ever evicted. Rows are text: a row that is anything else, or whose content does not fit its hash, is a
    miss, counted in `damaged` and logged; it is never unpickled (CVE-2025-69872) and names no file to open or remove.
    Threads and processes may share the folder. Raises CacheError if the folder holds no usable cache.
    """

    source: Source = "cache"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0
        """Rows and writes that failed so far."""
        try:
            self._cache = diskcache.Cache(
                str(folder.resolve()),
                disk=_TextDisk,
                eviction_policy="none",
                cull_limit=0,  # the default drops entries in silence once the cache is larger than 1 GB
                disk_min_file_size=2**31 - 1,  # all rows live in the database, none in a file of its own
            )
        except (sqlite3.Error, OSError, diskcache.Timeout, _UnsafeRowError) as error:
            raise CacheError(
                f"{folder}: not usable as a response cache ({error}). It holds nothing but copies of answers: "
                "delete the folder, or name another one on a local file system"
            ) from error

    def get(self, key: str) -> Completion | None:
        """The completion kept under this key, or None."""
        try:
            row = self._cache.get(key)
            return None if row is None else _decoded(key, row)
        except (sqlite3.Error, OSError, ValueError, LookupError, TypeError, diskcache.Timeout) as error:
            self._report(f"entry {key} is damaged and not used: {error!r}")
            return None

    def put(self, completions: Iterable[tuple[str, Completion]]) -> None:
        """Keep completions by key, in one transaction. A cache that cannot be written is reported and skipped."""
        try:
            with self._cache.transact():
                for key, completion in completions:
                    self._cache.set(key, _encoded(key, completion))
        except (sqlite3.Error, OSError, diskcache.Timeout) as error:
            self._report(f"new entries are not kept: {error!r}")

    def close(self) -> None:
        """Close the calling thread's connection; a later call opens a new one."""
        self._cache.close()

    def _report(self, what: str) -> None:
        self.damaged += 1
        _log.warning("response cache %s: %s", self.folder, what)


class _UnsafeRowError(ValueError):
    """A row is not plain text, so it was not written by this program."""


class _TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Text in, text out: neither pickles nor files, whatever a row says."""

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise _UnsafeRowError(f"keys are text, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: bool) -> str:
        if not raw or type(key) is not str:
            raise _UnsafeRowError("the key of a row is not plain text")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, str]:
        if read or type(value) is not str:
            raise _UnsafeRowError(f"values are text, not {type(value).__name__}")
        return 0, diskcache.core.MODE_RAW, None, value

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> str:
        if read or mode != diskcache.core.MODE_RAW or filename is not None or type(value) is not str:
            raise _UnsafeRowError("the value of a row is not plain text")
        return value

    def remove(self, file_path: str) -> None:
        """Remove nothing: rows have no files, and a path in a row is somebody else's."""


def _encoded(key: str, completion: Completion) -> str:
    content = completion_fields(completion)
    return canonical_json({"content": content, "sha256": _digest(key, content)})


def _decoded(key: str, row: str) -> Completion | None:
    kept = json.loads(row)
    content = kept["content"]
    if kept["sha256"] != _digest(key, content):
        raise ValueError("its content does not fit its hash")
    return completion_of(content)


def _digest(key: str, content: Mapping[str, object]) -> str:
    return hashlib.sha256(canonical_json([key, content]).encode("ascii")).hexdigest()
