"""Files out of archives that nobody vouches for: what is asked for comes out whole, or nothing does.

Only files that the caller names are written, each under its last name into one flat folder, so no member can name a place.
An archive that tries all the same is refused as a whole, as is one that is cut, encrypted or grows out of proportion.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NoReturn

from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

_CHUNK = 1 << 18
# What the readers of the standard library raise on damaged input: they promise no single type.
_DAMAGE = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True)
class Limits:
    """How large an archive may become."""

    members: int = 10_000
    total: int = 8 << 30
    """Bytes of all members."""
    ratio: float = 200.0
    """Bytes out per byte in; text reaches about 20."""
    ratio_from: int = 64 << 20
    """The ratio is looked at from so many bytes on: small files may well be all alike."""


def extract(archive: Path, folder: Path, wanted: Collection[str], limits: Limits = Limits()) -> list[str]:
    """Write the members of a zip, tar or tar.gz whose last name is in `wanted` to `folder`; return the names found.

    DataError ("archive:member: what") if it is damaged or does anything that a data archive has no reason to do. Files
    that were written before the fault was met stay: give it a folder that is thrown away then.
    """
    with archive.open("rb") as file:
        start = file.read(512)
    try:
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _unzip(archive, folder, wanted, limits)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(archive) as unpacked:
                return _untar(archive, unpacked, folder, wanted, limits)
        if start[257:262] == b"ustar":
            with archive.open("rb") as raw:
                return _untar(archive, raw, folder, wanted, limits)
    except DataError:  # a ValueError too
        raise
    except _DAMAGE as error:
        raise DataError(f"{archive}: damaged or cut short: {error}; fetch it again") from error
    raise DataError(f"{archive}: no zip, tar or tar.gz archive")


def check_gzip(path: Path, limits: Limits = Limits()) -> None:
    """Read a gzip file to its end; DataError if it is damaged, cut short, or grows out of proportion."""
    meter = _Meter(path, limits)
    try:
        with gzip.open(path) as file:
            while chunk := file.read(_CHUNK):
                meter.grew(path.name, len(chunk), capped=False)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged or cut short: {error}; fetch it again") from error


class _Meter:
    """Counts what really comes out: declared sizes lie."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._packed = max(archive.stat().st_size, 1)
        self._total = 0

    def grew(self, member: str, size: int, *, capped: bool = True) -> None:
        self._total += size
        limits = self._limits
        if capped and self._total > limits.total:
            _refuse(self._archive, member, f"unpacked, the archive has more than {limits.total:,} bytes")
        if self._total > limits.ratio_from and self._total > limits.ratio * self._packed:
            _refuse(
                self._archive, member, f"the archive unpacks to more than {limits.ratio:g} times its size"
            )


class _Names:
    """Looks at the name of each member and says under which name it is written, if it is wanted."""

    def __init__(self, archive: Path, wanted: Collection[str], limits: Limits) -> None:
        self._archive = archive
        self._wanted = wanted
        self._limits = limits
        self._seen: dict[str, str] = {}
        self._taken: dict[str, str] = {}

    @property
    def taken(self) -> list[str]:
        return list(self._taken)

    def check(self, member: str, *, folder: bool) -> str | None:
        """The name to write it under; None if it is not wanted. DataError if no data archive has such a member."""
        parts = member.split("/")
        if "\0" in member or "\\" in member:
            _refuse(self._archive, member, "a name with a backslash or a zero byte")
        if member.startswith("/") or re.match(r"[A-Za-z]:", member) or ".." in parts:
            _refuse(self._archive, member, "a name that leads out of the folder")
        if len(self._seen) >= self._limits.members:
            _refuse(self._archive, member, f"the archive has more than {self._limits.members:,} members")
        # As the file systems of macOS and Windows compare names.
        key = unicodedata.normalize(
            "NFC", "/".join(part for part in parts if part not in ("", "."))
        ).casefold()
        if key in self._seen and not folder:
            _refuse(self._archive, member, f"the same name as {self._seen[key]!r}")
        self._seen[key] = member
        name = parts[-1]
        if folder or name not in self._wanted:
            return None
        if name in self._taken:
            _refuse(self._archive, member, f"a second {name}, beside {self._taken[name]!r}")
        self._taken[name] = member
        return name


def _unzip(archive: Path, folder: Path, wanted: Collection[str], limits: Limits) -> list[str]:
    names = _Names(archive, wanted, limits)
    declared, written = _Meter(archive, limits), _Meter(archive, limits)
    with zipfile.ZipFile(archive) as file:
        chosen = []
        for info in file.infolist():
            member = info.orig_filename  # `filename` is already made harmless: cut at a zero byte
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                _refuse(archive, member, "a link or a device, not a file")
            if info.flag_bits & 0x1:
                _refuse(archive, member, "encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                _refuse(archive, member, "packed in another way than deflate")
            name = names.check(member, folder=info.is_dir())
            declared.grew(member, info.file_size)
            if name is not None:
                chosen.append((info, name))
        for info, name in chosen:
            with _located(archive, info.filename), file.open(info) as source:
                _write(source, folder / name, written, info.filename)
    return names.taken


def _untar(
    archive: Path, raw: IO[bytes] | gzip.GzipFile, folder: Path, wanted: Collection[str], limits: Limits
) -> list[str]:
    names = _Names(archive, wanted, limits)
    written = _Meter(archive, limits)
    # Metered below tarfile too: what is passed over is unpacked all the same, and headers are as long as they like.
    stream = io.BufferedReader(_Metered(raw, _Meter(archive, limits), archive.name), _CHUNK)
    with tarfile.open(fileobj=stream, mode="r|") as file:
        for info in file:
            if not (info.isreg() or info.isdir()):
                _refuse(archive, info.name, "a link or a device, not a file")
            name = names.check(info.name, folder=info.isdir())
            if name is not None:
                source = file.extractfile(info)
                assert source is not None  # it is a regular file
                with _located(archive, info.name), source:
                    _write(source, folder / name, written, info.name)
    while stream.read(_CHUNK):  # to the end of the gzip stream, where its checksum is
        pass
    return names.taken


class _Metered(io.RawIOBase):
    """A stream whose bytes are counted."""

    def __init__(self, raw: IO[bytes] | gzip.GzipFile, meter: _Meter, name: str) -> None:
        self._raw, self._meter, self._name = raw, meter, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        chunk = self._raw.read(len(room))
        room[: len(chunk)] = chunk
        self._meter.grew(self._name, len(chunk))
        return len(chunk)


def _write(source: IO[bytes], path: Path, meter: _Meter, member: str) -> None:
    with path.open("xb") as file:
        while chunk := source.read(_CHUNK):
            meter.grew(member, len(chunk))
            file.write(chunk)


@contextmanager
def _located(archive: Path, member: str) -> Iterator[None]:
    """Damage that is met inside names the member."""
    try:
        yield
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError(
            f"{archive}:{member}: damaged or cut short: {error}; fetch the archive again"
        ) from error


def _refuse(archive: Path, member: str, what: str) -> NoReturn:
    raise DataError(f"{archive}:{member}: {what}; nothing was taken from this archive")
