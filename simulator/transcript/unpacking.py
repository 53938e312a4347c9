"""A packed run unpacked: nothing outside the folder, nothing but what the list says, all of it or nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.transcript import members
from simulator.transcript.members import ArchiveError, Member
from simulator.transcript.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from simulator.transcript.verification import Verification

_BLOCK = 1 << 20
_TAR_BLOCK = 512
_RECORD = 20 * _TAR_BLOCK
"""Tar files are filled up to a multiple of it."""
_AGAIN = "get the file again"


def import_run(file: Path, out: Path) -> Verification:
    """Unpack a run into the new folder `out` and verify it.

    ArchiveError if `out` is there already, or the file is no packed run, damaged, or holds a run that is; then nothing is
    left behind.
    """
    if out.exists():
        raise ArchiveError(f"{out} is there already; give --out a new folder, so that nothing is overwritten")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise ArchiveError(f"{out}: cannot be made ({error.strerror}); give --out another folder") from error
    try:
        # mkdtemp lets nobody else in; a run directory is as open as any other folder.
        folder.chmod(0o755)
        _unpack(file, folder)
        found = verify(folder)
        if not (found.whole and found.complete):
            faults = [fault.replace(str(folder), str(out)) for fault in found.faults]
            raise ArchiveError(
                "\n".join([*faults, f"{file}: the run in it is damaged, and was not imported"])
            )
        folder.rename(out)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ArchiveError(f"{file}: not a packed run, or damaged on its way ({error}); {_AGAIN}") from None
    except OSError as error:
        raise ArchiveError(f"{error.filename or file}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found.path = out
    return found


def _unpack(file: Path, folder: Path) -> None:
    with file.open("rb") as packed, gzip.GzipFile(fileobj=packed, mode="rb") as unzipped:
        bounded = _Bounded(unzipped, members.MOST_LIST_BYTES + _RECORD, file)
        # A stream: nothing is read twice, and no header can point elsewhere in the file.
        with tarfile.open(fileobj=bounded, mode="r|", bufsize=_TAR_BLOCK) as archive:
            entries = _regular(archive, file)
            first, content = next(entries, (None, None))
            if first is None or content is None or first.name != members.LIST:
                raise ArchiveError(f"{file}: not a packed run (it does not begin with {members.LIST})")
            if first.size > members.MOST_LIST_BYTES:
                raise ArchiveError(
                    f"{file}: its {members.LIST} has {first.size:,} bytes, which no list of a run has"
                )
            listed = members.read(content.read(), str(file))
            total = sum(member.bytes for member in listed.values())
            if total > shutil.disk_usage(folder).free:
                raise ArchiveError(
                    f"{file}: unpacked it takes {total:,} bytes, more than there is room for; make room"
                )
            bounded.allow(total + len(listed) * 2 * _TAR_BLOCK + _RECORD)
            missing = dict(listed)
            for entry, content in entries:
                member = missing.pop(entry.name, None)
                if member is None:
                    raise ArchiveError(
                        f"{file}: {entry.name!r} is in it twice, or not in its {members.LIST}; {_AGAIN}"
                    )
                _copy(entry, content, member, folder, file)
        # To its end, where the checksum of the compression is.
        while bounded.read(_BLOCK):
            pass
    if missing:
        raise ArchiveError(f"{file}: {', '.join(missing)} of its {members.LIST} not in it; {_AGAIN}")


def _regular(archive: tarfile.TarFile, file: Path) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    """The entries of an archive with their contents; ArchiveError for anything but a plain file."""
    for entry in archive:
        content = archive.extractfile(entry) if entry.isreg() else None
        if content is None:
            raise ArchiveError(
                f"{file}: {entry.name!r} in it is no plain file, and a run has nothing else; {_AGAIN}"
            )
        yield entry, content  # type: ignore[misc]


def _copy(entry: tarfile.TarInfo, content: BinaryIO, member: Member, folder: Path, file: Path) -> None:
    """Write one file, whose name `members.is_name` knows and which so is nowhere else, as far as its listed size."""
    digest, size = hashlib.sha256(), 0
    if entry.size == member.bytes:
        place = folder / member.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as out:
            while block := content.read(_BLOCK):
                digest.update(block)
                size += len(block)
                out.write(block)
    if (size, digest.hexdigest()) != (member.bytes, member.sha256):
        raise ArchiveError(f"{file}: {member.name} in it is not what its {members.LIST} says; {_AGAIN}")


class _Bounded(io.RawIOBase):
    """A stream that gives no more than was allowed, however far a small file would unpack."""

    def __init__(self, source: gzip.GzipFile, limit: int, file: Path) -> None:
        self._source, self._left, self._file = source, limit, file

    def allow(self, more: int) -> None:
        """Give so many bytes more."""
        self._left += more

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; ArchiveError beyond what was allowed."""
        block = self._source.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(block)
        if self._left < 0:
            raise ArchiveError(f"{self._file}: it holds more than its {members.LIST} says; {_AGAIN}")
        return block
