"""Archives given by hand: broken on their way, lying about themselves, or made to write elsewhere and to fill the disk."""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.broken import faults, shop
from benchmarks.broken.cases import Case, Read, Refused, Whole
from recommender.data.download import find, obtain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.broken.cases import Sandbox
    from recommender.data.download import Source

_SOURCE = "ml-latest"
"""One archive, of which no checksum is known."""
_FILES = {name: shop.ML_20M.files[name] for name in ("ratings.csv", "movies.csv")}
_GOOD = {f"ml-latest/{name}": content for name, content in _FILES.items()}
_BOMB = bytes(100 << 20)
_PLACES = {
    "path that leads up": "../ratings.csv",
    "path that leads up from inside": "ml-latest/../../../canary/evil",
    "path of its own": "{canary}/evil",
    "path with a drive letter": "C:/evil",
    "path with backslashes": "..\\..\\canary\\evil",
    "path of another machine": "\\\\server\\share\\evil",
    "name with a zero byte": "ml-latest/evil\0.csv",
}
"""Names of members that lead out of the folder; of those that name the canary, its place is filled in."""


def _zip(
    members: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED, mode: int = stat.S_IFREG | 0o644
) -> bytes:
    """A zip; `mode` is of the last member, and names are written as they are."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as file:
        for number, (name, content) in enumerate(members.items(), start=1):
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type, info.create_system = name, how, 3
            info.external_attr = (mode if number == len(members) else stat.S_IFREG | 0o644) << 16
            file.writestr(info, content)
    return raw.getvalue()


def _tar(members: Mapping[str, bytes], *more: tarfile.TarInfo) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        for info in more:
            file.addfile(info)
    return raw.getvalue()


def _link(
    kind: bytes, name: str = "ml-latest/README.txt", target: str = "../../canary/mine"
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def _tar_gz(members: Mapping[str, bytes]) -> bytes:
    return gzip.compress(_tar(members), mtime=0)


def _encrypted(archive: bytes) -> bytes:
    raw = bytearray(archive)
    raw[6] |= 1  # in the header of the first member
    raw[raw.index(b"PK\1\2") + 8] |= 1  # and in the directory
    return bytes(raw)


def _lying(archive: bytes, size: int) -> bytes:
    """A zip whose directory says another size of the first member."""
    at = archive.index(b"PK\1\2") + 24
    return archive[:at] + struct.pack("<L", size) + archive[at + 4 :]


def _overlapping() -> bytes:
    """A zip whose directory names the same packed bytes a thousand times: small, and large when unpacked."""
    archive = _zip({"ml-latest/ratings.csv": _BOMB[: 1 << 20]})
    start = archive.index(b"PK\1\2")
    end = archive.index(b"PK\5\6")
    entry = archive[start:end]
    entries = b"".join(
        entry.replace(b"ml-latest/ratings.csv", b"ml-latest/r%06d.csv" % n) for n in range(1000)
    )
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1000, 1000, len(entries), start, 0)
    return archive[:start] + entries + tail


def _sparse() -> bytes:
    """A tar with a file of holes: one terabyte of zeros that take no place in it."""
    header = bytearray(_tar({"ml-latest/ratings.csv": b""})[:512])
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[257:265] = b"ustar  \0"
    header[386:410] = b"%011o\0%011o\0" % (0, 0)
    header[483:495] = (1 << 40).to_bytes(12, "big")
    header[483] |= 0x80
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


_GOOD_ZIP, _GOOD_TAR, _GOOD_TAR_GZ = _zip(_GOOD), _tar(_GOOD), _tar_gz(_GOOD)
_WORKS: Mapping[str, bytes] = {
    "zip": _GOOD_ZIP,
    "tar": _GOOD_TAR,
    "tar.gz": _GOOD_TAR_GZ,
    "zip with other files": _zip(_GOOD | {"ml-latest/evil.sh": b"touch called"}),
    # What comes out is held against its checksum, whatever the directory says of its size.
    "zip that says more than it holds": _lying(_GOOD_ZIP, 10**6),
    "zip with a comment": _GOOD_ZIP[:-2] + struct.pack("<H", 4) + b"hey!",
}
_BROKEN: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "zip with a changed byte": (lambda: _zip(_GOOD, zipfile.ZIP_STORED).replace(b"1,1,1,", b"1,1,5,", 1), "CRC"),
    "tar.gz with a wrong checksum": (lambda: _GOOD_TAR_GZ[:-8] + bytes(8), "damaged or cut short"),
    "zip that is encrypted": (lambda: _encrypted(_GOOD_ZIP), "encrypted"),
    "zip packed in a rare way": (lambda: _zip(_GOOD, zipfile.ZIP_LZMA), "another way than deflate"),
    "zip that says less than it holds": (lambda: _lying(_GOOD_ZIP, 10), "damaged or cut short"),
    "zip that says that it holds 4 GB": (lambda: _lying(_GOOD_ZIP, 2**32 - 2), "times its size"),
    "name that differs in case only": (lambda: _zip(_GOOD | {"ml-latest/RATINGS.csv": b""}), "the same name as"),
    "wanted file twice": (lambda: _zip(_GOOD | {"other/ratings.csv": b""}), "a second ratings.csv"),
    "zip bomb": (lambda: _zip(_GOOD | {"ml-latest/README.txt": _BOMB}), "times its size"),
    "zip bomb in what nobody wants": (lambda: _zip(_GOOD | {"ml-latest/bomb": _BOMB}), "times its size"),
    "zip bomb of overlapping members": (_overlapping, "times its size"),
    "zip bomb that says that it is small": (lambda: _lying(_zip({"ml-latest/ratings.csv": _BOMB} | _GOOD), 10), "damaged or cut short"),
    "zip of many members": (lambda: _zip({f"ml-latest/{n}": b"" for n in range(10_001)}), "more than 10,000 members"),
    "zip with a link": (lambda: _zip(_GOOD | {"ml-latest/README.txt": b"/etc/hostname"}, mode=stat.S_IFLNK | 0o777), "a link or a device"),
    "zip with a device": (lambda: _zip(_GOOD | {"ml-latest/README.txt": b""}, mode=stat.S_IFCHR | 0o666), "a link or a device"),
    "tar bomb": (lambda: _tar_gz(_GOOD | {"ml-latest/README.txt": _BOMB}), "times its size"),
    "tar bomb in what nobody wants": (lambda: _tar_gz({"ml-latest/bomb": _BOMB} | _GOOD), "times its size"),
    "tar bomb of a name": (lambda: gzip.compress(_tar({"x" * (90 << 20): b""})), "times its size"),
    "tar bomb of holes": (_sparse, "times its size"),
    "tar of many members": (lambda: _tar_gz({f"ml-latest/{n}": b"" for n in range(10_001)}), "more than 10,000 members"),
    "tar with a link": (lambda: _tar(_GOOD, _link(tarfile.SYMTYPE)), "a link or a device"),
    "tar with a hard link": (lambda: _tar(_GOOD, _link(tarfile.LNKTYPE)), "a link or a device"),
    "tar with a device": (lambda: _tar(_GOOD, _link(tarfile.CHRTYPE)), "a link or a device"),
    "tar with a named pipe": (lambda: _tar(_GOOD, _link(tarfile.FIFOTYPE)), "a link or a device"),
    "tar with a folder that is a link": (lambda: _tar({}, _link(tarfile.SYMTYPE, "ml-latest", "../../canary")) , "a link or a device"),
    "tar.xz": (lambda: lzma.compress(_GOOD_TAR), "no zip, tar or tar.gz"),
    "web page of an error": (lambda: b"<!doctype html>\n<h1>404 Not Found</h1>\n", "no zip, tar or tar.gz"),
    "noise": (lambda: b"\xa5" * 9_999, "no zip, tar or tar.gz"),
    "empty file": (lambda: b"", "no zip, tar or tar.gz"),
    "zip behind something else": (lambda: b"#!/bin/sh\n" + _GOOD_ZIP, "no zip, tar or tar.gz"),
}  # fmt: skip


_CUT = {"zip": _GOOD_ZIP, "tar": _GOOD_TAR, "tar.gz": _GOOD_TAR_GZ}
_INCOMPLETE = {
    "zip in a zip": lambda: _zip({"ml-latest.zip": _GOOD_ZIP}),
    "zip without a file that is needed": lambda: _zip({"ml-latest/ratings.csv": b""}),
    "zip with a folder of the name of a file": lambda: _zip({"movies.csv/": b"", "ratings.csv": b""}),
    "zip of nothing": lambda: _zip({}),
}
_NO_FILE: Mapping[str, faults.Fault] = {
    "no such file": faults.removed,
    "folder in place of a file": faults.folder,
    "named pipe": faults.pipe,
    "endless device": faults.endless,
    "link to itself": faults.link_to_itself,
}
_RECORDS = {
    "record of another checksum": (b"0" * 64, "delete"),
    "empty record of a checksum": (b"", "delete"),
    "record of a checksum that is noise": (b"\xa5" * 99, "delete"),
}
_IN_THE_WAY = {
    "file in place of the folder to fill": {"ml-latest": b""},
    "folder that lacks files": {"ml-latest/ratings.csv": b""},
}
_REVIEWS = shop.packed(shop.AMAZON_2014)
_BAD_GZIP = {
    "gzip cut short": (faults.cut(0.6), "damaged or cut short"),
    "gzip with a wrong checksum": (
        faults.changed(lambda content: content[:-8] + bytes(8)),
        "CRC check failed",
    ),
    "no gzip under the name of one": (faults.unpacked, "[Nn]ot a gzip"),
    "gzip bomb": (faults.content(gzip.compress(_BOMB)), "times its size"),
    "no such file": (faults.removed, "no such file"),
}


def cases() -> Iterator[Case]:
    """Each of these, given by hand in place of a download."""
    for kind, archive in _WORKS.items():
        yield _case(kind, Whole(), archive)
    for kind, (make, says) in _BROKEN.items():
        yield _case(kind, Refused("given.zip", says), make)
    for kind, make in _INCOMPLETE.items():
        yield _case(kind, Refused(_SOURCE, "in none of the files"), make)
    for form, archive in _CUT.items():
        for share in (10, 50, 90):
            cut = archive[: len(archive) * share // 100]
            yield _case(f"{form} cut short at {share} %", Refused("given.zip", "damaged or cut short"), cut)
    for kind, member in _PLACES.items():
        yield _leading_out(f"{kind}, in a zip", member, _zip)
        if "\0" not in member:  # where the header of a tar ends a name
            yield _leading_out(f"{kind}, in a tar.gz", member, _tar_gz)
    for kind, fault in _NO_FILE.items():
        yield _case(kind, Refused("given.zip", "no such file|not a file"), _GOOD_ZIP, fault)
    yield _case("wrong checksum", Refused("given.zip", "wrong checksum"), _GOOD_ZIP, source="ml-1m")
    for kind, (content, says) in _RECORDS.items():
        yield _case(
            kind, Refused("ml-latest.zip.sha256", says), _GOOD_ZIP, beside={"ml-latest.zip.sha256": content}
        )
    # The command line tells the file and the reason of what the operating system refuses.
    in_the_way = Refused("ml-latest.download", "Not a directory", error=OSError)
    kind = "file in place of the folder of what is unfinished"
    yield _case(kind, in_the_way, _GOOD_ZIP, beside={"ml-latest.download": b""})
    for kind, beside in _IN_THE_WAY.items():
        yield _case(kind, Refused("target", "ml-latest"), _GOOD_ZIP, beside=beside)
    for kind, (fault, says) in _BAD_GZIP.items():
        yield _reviews(kind, Refused(_REVIEWS.log, says), fault)
    yield _reviews("two files in gzip", Whole(), lambda _: None)


def _case(
    kind: str,
    expects: Refused | Whole,
    archive: bytes | Callable[[], bytes],
    fault: faults.Fault | None = None,
    source: str = _SOURCE,
    beside: Mapping[str, bytes] | None = None,
) -> Case:
    def prepare(sandbox: Sandbox) -> None:
        given = sandbox.data / "given.zip"
        given.write_bytes(archive if isinstance(archive, bytes) else archive())
        if fault is not None:
            fault(given)
        for name, content in (beside or {}).items():
            path = sandbox.target / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)

    return Case(
        kind, "download --file", expects, prepare, partial(_read, find(source), ["given.zip"], _FILES)
    )


def _leading_out(kind: str, member: str, pack: Callable[[Mapping[str, bytes]], bytes]) -> Case:
    def prepare(sandbox: Sandbox) -> None:
        name = member.format(canary=sandbox.canary)
        (sandbox.data / "given.zip").write_bytes(pack(_GOOD | {name: b"touch called"}))

    return Case(
        kind,
        "download --file",
        Refused("given.zip", "a name"),
        prepare,
        partial(_read, find(_SOURCE), ["given.zip"], _FILES),
    )


def _reviews(kind: str, expects: Refused | Whole, fault: faults.Fault) -> Case:
    def prepare(sandbox: Sandbox) -> None:
        _REVIEWS.write(sandbox)
        fault(sandbox.data / _REVIEWS.log)

    read = partial(_read, find("amazon-2014:Shop"), list(_REVIEWS.files), _REVIEWS.files)
    return Case(kind, "download --file, gzip", expects, prepare, read)


def _read(source: Source, given: Sequence[str], wanted: Mapping[str, bytes], sandbox: Sandbox) -> Read:
    folder = obtain(source, sandbox.target, [sandbox.data / name for name in given], say=lambda _: None)
    there = {path.name: path.read_bytes() for path in folder.iterdir()}
    return Read(
        missing=sum(there.get(name) != content for name, content in wanted.items()),
        invented=len(there.keys() - wanted.keys()),
    )
