"""A finished run as one file to share: whole, without a path of the machine, and for equal runs equal in every byte."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from recommender.trained_directory import whole_file
from scenarios.reading import read_document, written
from simulator.transcript import members
from simulator.transcript.directory import RunDirectory
from simulator.transcript.manifest import text_hash
from simulator.transcript.members import ArchiveError, Member
from simulator.transcript.verifying import verify

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_BLOCK = 1 << 20
_MODE = 0o644


def export(path: Path, file: Path, *, weights: bool = False) -> list[Member]:
    """Pack a run, which is verified first; `weights` takes the trained recommender in, which a replay does not need.

    A gzip-compressed tar: `members.json`, the list of the files with sizes and hashes, then the files. ArchiveError if `file`
    is there already or the run is damaged or unfinished; the file is whole or not there.
    """
    if file.exists():
        raise ArchiveError(f"{file} is there already; name another file, so that nothing is overwritten")
    if not file.parent.is_dir():
        raise ArchiveError(f"{file}: there is no folder {file.parent}; make it, or name another file")
    found = verify(path)
    if not found.complete:
        raise ArchiveError(
            f"{path}: this run is not finished; finish it first: python -m simulator.run --resume {path}"
        )
    if not found.whole:
        raise ArchiveError("\n".join([*found.faults, f"{path}: the run is damaged, and was not packed"]))
    run = RunDirectory(path)
    rewritten = _without_places(run)
    listed = [
        _member(run.path / name, name, rewritten.get(name))
        for name in members.names(run)
        if weights or not name.endswith(members.WEIGHTS)
    ]
    try:
        with whole_file(file) as out:
            _write(out, run.path, listed, rewritten)
    except OSError as error:
        raise ArchiveError(f"{file}: cannot be written ({error.strerror}); name another file") from error
    return listed


def _without_places(run: RunDirectory) -> dict[str, bytes]:
    """The files that have to be written anew because they name a folder of the machine."""
    texts: dict[str, Any] = {}
    rewritten: dict[str, bytes] = {}
    for name in members.names(run):
        file = run.path / name
        if file.name not in members.REDACTED or file == run.scenario:
            continue
        kept = json.loads(file.read_bytes()) if file.suffix == ".json" else read_document(file).value
        shared = members.without_places(kept)
        if shared != kept and file.suffix == ".json":
            texts[name] = shared
        elif shared != kept:
            rewritten[name] = written(shared).encode("utf-8")
    value = read_document(run.scenario).value
    shared = members.without_places(value)
    if shared != value:
        heading = run.scenario.read_text(encoding="utf-8").split("\n", 1)[0]
        text = f"{heading}\n{written(shared)}"
        rewritten[run.scenario.name] = text.encode("utf-8")
        manifest = texts.get(run.manifest.name) or json.loads(run.manifest.read_bytes())
        hashes = manifest["hashes"]
        texts[run.manifest.name] = {
            **manifest,
            "hashes": {**hashes, "scenario": text_hash(text)},
            "scenario_as_run": manifest.get("scenario_as_run", hashes["scenario"]),
        }
    for name, shared in texts.items():
        rewritten[name] = (json.dumps(shared, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    return rewritten


def _member(path: Path, name: str, content: bytes | None) -> Member:
    if content is not None:
        return Member(name, len(content), hashlib.sha256(content).hexdigest())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(name, file.tell(), digest)


def _write(out: BinaryIO, folder: Path, listed: list[Member], rewritten: dict[str, bytes]) -> None:
    # No name and no time in either format; the level is fixed as well, since it decides the bytes.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT, bufsize=_BLOCK) as archive,
    ):
        contents = members.written(listed)
        archive.addfile(_header(members.LIST, len(contents)), io.BytesIO(contents))
        for member in listed:
            header = _header(member.name, member.bytes)
            if (content := rewritten.get(member.name)) is not None:
                archive.addfile(header, io.BytesIO(content))
                continue
            with (folder / member.name).open("rb") as file:
                archive.addfile(header, file)
                if file.read(1):
                    raise ArchiveError(f"{folder / member.name}: it grew while it was packed; try again")


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, _MODE
    return header
