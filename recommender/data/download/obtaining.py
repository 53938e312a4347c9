"""A data set of the catalogue in its folder: fetched or given by hand, checked, unpacked, and there at once or not at all."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from recommender.data.dataset import DataError
from recommender.data.download.archive import check_gzip, extract
from recommender.data.download.fetching import Expected, client, fetch, sha256_of
from recommender.data.download.retrying import PATIENCE, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from recommender.data.download.fetching import Progress
    from recommender.data.download.sources import RemoteFile, Source

    Say = Callable[[str], None]


def is_there(source: Source, folder: Path) -> bool:
    """Whether `folder` has the data set; DataError if it has a part of it, which no download leaves behind."""
    target = folder / source.folder
    if not target.exists():
        return False
    missing = [name for name in source.needed if not (target / name).is_file()]
    if missing:
        raise DataError(
            f"{target} exists and lacks {', '.join(missing)}; it was not made by this command: "
            f"move it away, or choose another folder with --to"
        )
    return True


@dataclass(frozen=True)
class _Arrived:
    """A file that is there, with the checksum that it should have had, if one was known."""

    path: Path
    name: str
    """As its publisher calls it."""
    sha256: str
    catalogued: bool


def obtain(
    source: Source,
    folder: Path,
    given: Sequence[Path] = (),
    *,
    say: Say,
    progress: Progress | None = None,
    patience: Patience = PATIENCE,
) -> Path:
    """The folder of `source` inside `folder`, made from the files `given` or else from what its publisher sends.

    What is unfinished lies in `NAME.download` beside it, where the next call finds it. A second process that wants the
    same waits. Raises DataError for whatever is wrong with the files, the addresses or the folder.
    """
    target = folder / source.folder
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f".{source.folder}.lock", say):
        if is_there(source, folder):
            say(f"{target} is there already")
            return target
        work = folder / f"{source.folder}.download"
        ready = work / "unpacked"
        shutil.rmtree(ready, ignore_errors=True)  # of a call that was killed
        ready.mkdir(parents=True)
        try:
            if given:
                arrived = [_given(source, path, folder, say) for path in given]
            else:
                arrived = _fetched(source, work, folder, say, progress, patience)
            _unpack(source, arrived, ready, keep=bool(given))
            ready.rename(target)
        except BaseException:
            shutil.rmtree(ready, ignore_errors=True)
            if not any(work.iterdir()):
                work.rmdir()
            raise
        for file in arrived:
            if not file.catalogued:
                _record(folder, file.name).write_text(f"{file.sha256}  {file.name}\n")
        shutil.rmtree(work)
    return target


def _fetched(
    source: Source,
    work: Path,
    folder: Path,
    say: Say,
    progress: Progress | None,
    patience: Patience,
) -> list[_Arrived]:
    if not source.files:
        raise DataError(
            f"{source.name} cannot be fetched: {source.terms} asks for a login. Log in there, download "
            f"{', '.join(source.needed)} (or an archive that has them), and give each with --file, "
            f"or put them into {folder / source.folder} yourself"
        )
    arrived = []
    with client() as http:
        for remote in source.files:
            path = work / remote.name
            expected = _expected(remote.name, remote, folder)
            if path.exists():  # whole: a call was stopped between this and the end
                digest = sha256_of(path)
            else:
                digest = fetch(http, remote, path, expected=expected, patience=patience, progress=progress)
            try:
                arrived.append(_checked(path, remote.name, digest, remote, folder, say))
            except DataError:
                path.unlink()
                raise
    return arrived


def _given(source: Source, path: Path, folder: Path, say: Say) -> _Arrived:
    if not path.is_file():
        raise DataError(f"{path}: {'is not a file' if path.exists() else 'no such file'}")
    remote = next((remote for remote in source.files if remote.name == path.name), None)
    if remote is None and len(source.files) == 1:  # one archive may have any name
        remote = source.files[0]
    name = path.name if remote is None else remote.name
    return _checked(path, name, sha256_of(path), remote, folder, say)


def _checked(
    path: Path, name: str, digest: str, remote: RemoteFile | None, folder: Path, say: Say
) -> _Arrived:
    expected = _expected(name, remote, folder)
    if expected is not None:
        expected.require(digest, str(path))
    if path.suffix == ".gz" and not path.name.endswith(".tar.gz"):
        check_gzip(path)
    catalogued = remote is not None and remote.sha256 is not None
    if catalogued:
        say(f"{name}: checksum right")
    elif expected is not None:
        say(f"{name}: the same as at the earlier download; the publisher gives no checksum")
    else:
        say(f"{name}: the publisher gives no checksum; SHA-256 of what came: {digest}")
    return _Arrived(path, name, digest, catalogued)


def _unpack(source: Source, arrived: Sequence[_Arrived], ready: Path, *, keep: bool) -> None:
    """Bring what is wanted of the files to `ready`; unless `keep`, they may be moved and are removed if useless."""
    wanted = {*source.needed, *source.also}
    try:
        for file in arrived:
            if file.name not in wanted:
                extract(file.path, ready, wanted)
            elif keep:
                shutil.copyfile(file.path, ready / file.name)
            else:
                file.path.replace(ready / file.name)
        _require_all(source, ready)
    except DataError:
        if not keep:
            for file in arrived:
                file.path.unlink(missing_ok=True)
        raise


def _require_all(source: Source, ready: Path) -> None:
    missing = [name for name in source.needed if not (ready / name).is_file()]
    if missing:
        raise DataError(
            f"{source.name}: {', '.join(missing)}: in none of the files; give all of them with --file"
        )


def _expected(name: str, remote: RemoteFile | None, folder: Path) -> Expected | None:
    if remote is not None and remote.sha256 is not None:
        return Expected(remote.sha256, "the one that is known of it")
    record = _record(folder, name)
    if not record.exists():
        return None
    digest = re.match("[0-9a-f]{64}", record.read_text(encoding="utf-8", errors="replace"))
    if digest is None:
        raise DataError(f"{record}: does not begin with a SHA-256; delete it")
    return Expected(
        digest[0],
        f"that of the earlier download in {record}; delete this record if the publisher has a new version",
    )


def _record(folder: Path, name: str) -> Path:
    """Where the checksum of a file is kept that its publisher gives none of, in the form of sha256sum."""
    return folder / f"{name}.sha256"


@contextmanager
def _alone(path: Path, say: Say) -> Iterator[None]:
    lock = FileLock(path)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        say(f"another process is at it (it holds {path}): waiting")
        held = lock.acquire()
    with held:
        yield
