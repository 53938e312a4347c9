"""One file over HTTP, whole or not at all, that goes on where an earlier attempt stopped."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import httpx2
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from recommender.data.dataset import DataError
from recommender.data.download.retrying import (
    PASSING_STATUS,
    PATIENCE,
    PassingError,
    Patience,
    retry_after,
    user_agent,
)

if TYPE_CHECKING:
    from pathlib import Path

    from recommender.data.download.sources import RemoteFile


class Progress(Protocol):
    """Is told how far one file is."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """`done` bytes of `total` (None: unknown) are there."""


def client() -> httpx2.Client:
    """A client as `fetch` wants it: redirects followed, slow servers given up, proxies and certificates of the environment."""
    return httpx2.Client(
        follow_redirects=True,
        max_redirects=5,
        timeout=httpx2.Timeout(30.0, connect=15.0),
        # The bytes of the file itself are what the checksum is of and what a Range counts.
        headers={"User-Agent": user_agent(), "Accept-Encoding": "identity"},
    )


@dataclass(frozen=True)
class Expected:
    """The checksum that a file must have."""

    sha256: str
    why: str
    """Where it is from, for the message."""

    def require(self, digest: str, what: str) -> None:
        """DataError unless `digest`, that of `what`, is the one."""
        if digest != self.sha256:
            raise DataError(
                f"{what}: wrong checksum: SHA-256 is {digest}, must be {self.sha256} ({self.why}); "
                f"the file is damaged or another one, and nothing of it is used"
            )


@dataclass(frozen=True)
class _Version:
    """Which version of the remote file a part is of; kept beside it."""

    url: str
    validator: str | None
    """A strong ETag or, without one, Last-Modified: what If-Range takes. None: the part cannot be continued."""
    total: int | None

    @classmethod
    def read(cls, path: Path) -> _Version | None:
        """The version noted at `path`; None where there is no usable note."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None


class _Part:
    """The beginning of a file, and the note of which version it is the beginning of."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def continued(self, url: str) -> _Version | None:
        """The version of what is there, if a server can be asked for the rest of it."""
        version = _Version.read(self.note)
        if self.size == 0 or version is None or version.url != url or version.validator is None:
            return None
        return version

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def fetch(
    http: httpx2.Client,
    remote: RemoteFile,
    target: Path,
    *,
    expected: Expected | None = None,
    patience: Patience = PATIENCE,
    progress: Progress | None = None,
) -> str:
    """Fetch `remote` to `target` and return its SHA-256 in hex digits.

    Until all of it is there and right it is called `TARGET.part`. A part from an earlier call is continued if the
    server still has the same version, else it is started anew. Raises DataError: after an interruption the part stays,
    after a wrong checksum it is removed, because going on from it would end in the same.
    """
    part = _Part(target)
    attempts = Retrying(
        stop=stop_after_attempt(patience.attempts),
        wait=patience.wait,
        retry=retry_if_exception(patience.bears),
        reraise=True,
    )
    try:
        attempts(_attempt, http, remote, part, progress)
    except PassingError as error:
        asked = f" and asks to wait {error.wait:.0f} s" if error.wait is not None else ""
        raise DataError(
            f"{remote.url}: {error.reason}{asked}; {part.size:,} bytes are kept in {part.path}: "
            f"the same command goes on from there. {_BY_HAND}"
        ) from error
    digest = sha256_of(part.path)
    if expected is not None:
        try:
            expected.require(digest, remote.url)
        except DataError:
            part.clear()
            raise
    part.path.replace(target)
    part.clear()
    return digest


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex digits, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_BY_HAND = "A file that was fetched in another way is taken with --file and checked in the same way"


def _attempt(http: httpx2.Client, remote: RemoteFile, part: _Part, progress: Progress | None) -> None:
    """Bring the part to its full length, or raise PassingError (may be repeated) or DataError (may not)."""
    earlier = part.continued(remote.url)
    if earlier is not None and earlier.total == part.size:
        return
    start = part.size if earlier is not None else 0
    headers = {}
    if earlier is not None and earlier.validator is not None:
        headers = {"Range": f"bytes={start}-", "If-Range": earlier.validator}
    try:
        with http.stream("GET", remote.url, headers=headers) as response:
            _receive(response, remote, part, start, progress)
    except (httpx2.UnsupportedProtocol, httpx2.TooManyRedirects, httpx2.InvalidURL) as error:
        raise DataError(f"{remote.url}: {error}. {_BY_HAND}") from error
    except httpx2.TransportError as error:
        raise PassingError(str(error) or type(error).__name__) from error


def _receive(
    response: httpx2.Response, remote: RemoteFile, part: _Part, start: int, progress: Progress | None
) -> None:
    status = response.status_code
    if status == 416 and start:
        part.clear()
        raise PassingError("the server has no such rest of the file; started anew", wait=0.0)
    if status in PASSING_STATUS:
        raise PassingError(f"the server answers {status}", wait=retry_after(response.headers))
    if status == httpx2.codes.PARTIAL_CONTENT:
        total = _total_of_range(response, start)
        if total is None:
            part.clear()
            raise PassingError("the server sent another part than was asked for; started anew", wait=0.0)
    elif status == httpx2.codes.OK:  # no Range, or the file changed: from the beginning
        start = 0
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdecimal() else remote.size
    else:
        raise DataError(f"{remote.url}: the server answers {status} {response.reason_phrase}. {_BY_HAND}")
    if remote.size is not None and total != remote.size:
        raise DataError(
            f"{remote.url}: the file has {total:,} bytes there, must have {remote.size:,}; "
            f"the publisher replaced it, or this is a page in its place. {_BY_HAND}"
        )
    part.note.write_text(json.dumps(asdict(_Version(remote.url, _validator(response), total))))
    done = start
    with part.path.open("ab" if start else "wb") as file:
        for chunk in response.iter_raw():  # with a chunk size, what came last before a cut would be lost
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(remote.name, done, total)
    if total is not None and done != total:
        raise PassingError(f"the connection ended after {done:,} of {total:,} bytes")


def _total_of_range(response: httpx2.Response, start: int) -> int | None:
    """Length of the whole file, if this answer is its rest from `start` on."""
    said = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("content-range", "").strip())
    if said is None:
        return None
    first, last, total = (int(number) for number in said.groups())
    return total if first == start and last == total - 1 else None


def _validator(response: httpx2.Response) -> str | None:
    etag = response.headers.get("etag")
    if etag is not None and not etag.startswith("W/"):  # If-Range takes no weak one (RFC 9110, 13.1.5)
        return str(etag)
    modified = response.headers.get("last-modified")
    return None if modified is None else str(modified)
