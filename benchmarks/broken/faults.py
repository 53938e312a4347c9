"""Ways to break a file that is there and good."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

Fault = Callable[[Path], None]
"""Breaks the good file that is there."""


def changed(change: Callable[[bytes], bytes]) -> Fault:
    """The content is changed."""

    def fault(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return fault


def changed_inside(change: Callable[[bytes], bytes]) -> Fault:
    """The content of a gzip file is changed."""
    return changed(lambda content: gzip.compress(change(gzip.decompress(content)), mtime=0))


def content(new: bytes) -> Fault:
    """Something else stands there."""
    return changed(lambda _: new)


def replaced(old: bytes, new: bytes) -> Fault:
    """The first `old`, which must be there, is `new`."""

    def change(content: bytes) -> bytes:
        before, found, after = content.partition(old)
        if not found:
            raise ValueError(f"{old!r} is not in the good file")
        return before + new + after

    return changed(change)


def inserted(line: int, *new: bytes) -> Fault:
    """`new` stand from line `line` (from 1) on, before what stood there."""

    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join([*lines[: line - 1], *(each + b"\n" for each in new), *lines[line - 1 :]])

    return changed(change)


def everywhere(old: bytes, new: bytes) -> Fault:
    """Every `old` is `new`."""
    return changed(lambda content: content.replace(old, new))


def twice(first: int) -> Fault:
    """All lines from line `first` (from 1) on stand there a second time."""

    def change(content: bytes) -> bytes:
        return content + b"".join(content.splitlines(keepends=True)[first - 1 :])

    return changed(change)


def header(new: bytes) -> Fault:
    """The first line is `new`."""
    return changed(lambda content: new + content[content.index(b"\n") :])


def cut(share: float) -> Fault:
    """Only so much of the beginning is there."""
    return changed(lambda content: content[: int(len(content) * share)])


def removed(path: Path) -> None:
    """There is no such file."""
    path.unlink()


def folder(path: Path) -> None:
    """A folder has the name."""
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    """A named pipe has the name: whoever opens it waits for ever."""
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    """A device that gives zeros for ever."""
    path.unlink()
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    """A link that leads nowhere."""
    path.unlink()
    path.symlink_to(path)


def forbidden(path: Path) -> None:
    """Nobody may read it; of no effect on root."""
    path.chmod(0)


def packed(path: Path) -> None:
    """Packed under a name that does not say so."""
    path.write_bytes(gzip.compress(path.read_bytes()))


def unpacked(path: Path) -> None:
    """Not packed under a name that says so."""
    path.write_bytes(gzip.decompress(path.read_bytes()))


def emptied_folder(path: Path) -> None:
    """The folder of the file is empty."""
    shutil.rmtree(path.parent)
    path.parent.mkdir()
