"""Runs cases, each in folders of its own and within limits, and holds what happened against what was to happen."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from unittest.mock import patch

from benchmarks.broken.cases import Counted, Read, Refused, Sandbox, Whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from benchmarks.broken.cases import Case

SECONDS = 20.0
"""A case that takes longer hangs."""
MEBIBYTES = 768
"""By so much the peak memory of the process may grow in all cases together."""
_LONGEST_MESSAGE = 4_000

Outcome = Literal["clear_error", "counted_skip", "read_in_full", "failed"]
_REACHED: dict[type, Outcome] = {Refused: "clear_error", Counted: "counted_skip", Whole: "read_in_full"}


@dataclass(frozen=True)
class Verdict:
    """What became of a case."""

    case: Case
    outcome: Outcome
    message: str
    """Of the error, or of the first that was counted."""
    faults: tuple[str, ...]
    """What should not have been; empty unless `failed`."""
    lost: bool
    """Something good is missing, or something bad vanished, and nobody was told."""
    outside: tuple[str, ...]
    """Places outside the cache and the target folder that were written to."""
    seconds: float


class _TooSlowError(BaseException):
    """A case hangs; nothing that is tested catches it."""


def judged(
    cases: Iterable[Case], seconds: float = SECONDS, mebibytes: float = MEBIBYTES
) -> Iterator[Verdict]:
    """The verdict on each case, in order."""
    ceiling = _peak() + mebibytes
    for case in cases:
        with tempfile.TemporaryDirectory() as root:
            sandbox = Sandbox(Path(root).resolve() / "above" / "sandbox")
            yield _judge(case, sandbox, seconds, ceiling)


def _judge(case: Case, sandbox: Sandbox, seconds: float, ceiling: float) -> Verdict:
    for folder in (sandbox.data, sandbox.target, sandbox.cache, sandbox.canary, sandbox.temporary):
        folder.mkdir(parents=True)
    (sandbox.canary / "mine").write_text("not to be touched", encoding="utf-8")
    found: Read | BaseException
    with _inside(sandbox):
        case.prepare(sandbox)
        outside, inside = _outside(sandbox), _finished(sandbox)
        peak, began = _peak(), time.monotonic()
        try:
            with _limited(seconds):
                found = case.read(sandbox)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a hang or any traceback is what is looked for
            found = error
        taken = time.monotonic() - began
    faults = list(_faults(case.expects, found))
    if isinstance(found, BaseException) and (left := sorted(_finished(sandbox).keys() - inside.keys())):
        faults.append(f"an error, and yet left behind: {', '.join(left)}")
    changed = _changed(outside, _outside(sandbox))
    faults += [f"written outside: {place}" for place in changed]
    if ceiling < _peak() != peak:
        faults.append(f"memory grew by {_peak() - peak:.0f} MiB")
    return Verdict(
        case,
        "failed" if faults else _REACHED[type(case.expects)],
        # Without the name of the temporary folder: a result is the same wherever it was measured.
        _message(found).replace(f"{sandbox.root}/", ""),
        tuple(faults),
        isinstance(found, Read) and _lost(case.expects, found),
        changed,
        round(taken, 3),
    )


def _faults(expects: Refused | Counted | Whole, found: Read | BaseException) -> Iterator[str]:
    if isinstance(expects, Refused) and isinstance(found, expects.error):
        message = str(found)
        place = expects.file if expects.line is None else f"{expects.file}:{expects.line}:"
        if place not in message:
            yield f"the message does not name {place}"
        if not re.search(expects.says, message):
            yield f"the message does not say {expects.says!r}"
        if len(message) > _LONGEST_MESSAGE:
            yield f"the message has {len(message):,} characters"
    elif isinstance(found, BaseException):
        yield f"{type(found).__name__} where {_wish(expects)} was expected"
    elif isinstance(expects, Refused):
        yield f"{found} where {_wish(expects)} was expected"
    else:
        counted = expects if isinstance(expects, Counted) else Counted("")
        wanted = Read(malformed=counted.malformed, repeated=counted.repeated, first=found.first)
        if found != wanted:
            yield f"{found} where {wanted} was expected"
        if counted.first not in found.first:
            yield f"what is said of the first does not have {counted.first!r}"


def _lost(expects: Refused | Counted | Whole, found: Read) -> bool:
    if isinstance(expects, Refused):
        return True
    planted = expects if isinstance(expects, Counted) else Counted("")
    return found.missing > 0 or found.malformed < planted.malformed or found.repeated < planted.repeated


def _wish(expects: Refused | Counted | Whole) -> str:
    return expects.error.__name__ if isinstance(expects, Refused) else type(expects).__name__


def _message(found: Read | BaseException) -> str:
    return found.first if isinstance(found, Read) else f"{type(found).__name__}: {found}"


@contextlib.contextmanager
def _inside(sandbox: Sandbox) -> Iterator[None]:
    """Cache, temporary files and relative paths lead into the sandbox."""
    variables = {
        "SCREENTEST_CACHE": str(sandbox.cache),
        "TMPDIR": str(sandbox.temporary),
        "NO_PROXY": "127.0.0.1",
    }
    with (
        patch.dict(os.environ, variables),
        patch.object(tempfile, "tempdir", str(sandbox.temporary)),
        contextlib.chdir(sandbox.canary),
    ):
        yield


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """_TooSlowError after so many seconds; a timer that ran before goes on afterwards."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _TooSlowError(f"took more than {seconds:g} s")

    handler = signal.signal(signal.SIGALRM, stop)
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds)
    began = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001), again)


def _outside(sandbox: Sandbox) -> dict[str, tuple[int, ...]]:
    """All that nobody may write to, up to two folders above the sandbox, and how it is."""
    top, allowed = sandbox.root.parent.parent, (sandbox.target, sandbox.cache)
    return {
        str(path.relative_to(top)): _state(path)
        for path in top.rglob("*")
        if not any(path.is_relative_to(folder) for folder in allowed)
    }


def _finished(sandbox: Sandbox) -> dict[str, tuple[int, ...]]:
    """What counts as a result, whether whole or half: all in the target and the cache of data but lock files."""
    return {
        str(path.relative_to(sandbox.root)): _state(path)
        for folder in (sandbox.target, sandbox.cache / "data")
        for path in folder.rglob("*")
        if not path.name.endswith(".lock")
    }


def _state(path: Path) -> tuple[int, ...]:
    """How a file is; of a folder only that it is there."""
    at = path.lstat()
    if stat.S_ISDIR(at.st_mode):
        return (at.st_mode,)
    return (at.st_mode, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)


def _changed(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
    return tuple(
        sorted(place for place in before.keys() | after.keys() if before.get(place) != after.get(place))
    )


def _peak() -> float:
    """MiB of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
