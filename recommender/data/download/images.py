"""Pictures of items from the addresses that a data set gives: slowly enough for their hosts, and each only once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import httpx2
from filelock import FileLock, Timeout
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from recommender.data.dataset import DataError
from recommender.data.download.outcomes import Outcome, Outcomes
from recommender.data.download.retrying import (
    PASSING_STATUS,
    PATIENCE,
    PassingError,
    Patience,
    retry_after,
    user_agent,
)
from recommender.data.images import PictureError, file_stem, local_images, picture_extension

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_REDIRECTS = 5
_LONGEST_STEM = 248
"""File systems take names of 255 bytes; the name while it is written is the longest."""


@dataclass(frozen=True)
class Manners:
    """What a download asks of other people's servers."""

    connections: int = 4
    per_host: int = 2
    delay: float = 0.25
    """Seconds between the starts of two requests at one host."""
    largest: int = 20 << 20
    """Bytes of one picture."""
    timeout: float = 60.0
    """Seconds of one request in all."""
    patience: Patience = PATIENCE


MANNERS = Manners()


@dataclass(frozen=True)
class ImageReport:
    """What became of the pictures that were wanted; the three add up to all of them."""

    fetched: int
    present: int
    """Were there already."""
    failed: Mapping[str, int]
    """By reason; those that an earlier call had found to be hopeless are in it, though not asked for again."""

    def __str__(self) -> str:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(self.failed.items()))
        return (
            f"{self.fetched:,} fetched, {self.present:,} there already, {sum(self.failed.values()):,} failed"
            + (f" ({reasons})" if reasons else "")
        )


class Told(Protocol):
    """Is told how many pictures are settled."""

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` are there or have failed."""


def fetch_images(
    wanted: Mapping[str, str],
    folder: Path,
    *,
    retry_failed: bool = False,
    manners: Manners = MANNERS,
    told: Told | None = None,
) -> ImageReport:
    """Fetch the picture of each item (id -> address) to `folder/ID.EXTENSION`, as `local_images` finds them.

    The extension says what the file is, whatever its address says. What is there and whole is not asked for again, nor is
    what failed for good, unless `retry_failed` or the address is another. How each ended is kept in
    `folder/outcomes.jsonl`. Raises DataError if another process fills the same folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout as error:
        raise DataError(f"{folder}: another process downloads pictures to it; wait for its end") from error
    with held:
        try:
            return asyncio.run(_Download(wanted, folder, retry_failed, manners, told).run())
        except ExceptionGroup as group:  # of tasks: the first stopped the others
            raise group.exceptions[0] from None


class _FailedError(Exception):
    """A picture cannot be had, and that will not change."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass
class _Host:
    """One server, and when it may be asked next."""

    turns: asyncio.Semaphore
    next_start: float = 0.0
    closed: str = ""
    """Why it is not asked any more in this call."""
    pace: asyncio.Lock = field(default_factory=asyncio.Lock)


class _Download:
    def __init__(
        self,
        wanted: Mapping[str, str],
        folder: Path,
        retry_failed: bool,
        manners: Manners,
        told: Told | None,
    ) -> None:
        self._wanted = wanted
        self._folder = folder
        self._retry_failed = retry_failed
        self._manners = manners
        self._told = told
        self._outcomes = Outcomes(folder)
        self._there = dict(zip(wanted, local_images(folder, list(wanted)), strict=True))
        self._connections = asyncio.Semaphore(manners.connections)
        self._hosts: dict[str, _Host] = defaultdict(lambda: _Host(asyncio.Semaphore(manners.per_host)))
        self._failed: Counter[str] = Counter()
        self._fetched = 0
        self._present = 0

    async def run(self) -> ImageReport:
        queues: dict[str, list[str]] = defaultdict(list)
        for item, url in self._wanted.items():
            known = self._outcomes.get(item)
            if _is_picture(self._there[item]):
                self._present += 1
            elif known is not None and known.permanent and known.url == url and not self._retry_failed:
                self._failed[known.reason] += 1
            else:
                queues[_host_of(url)].append(item)
        self._tell()
        timeout = httpx2.Timeout(self._manners.timeout)
        async with (
            httpx2.AsyncClient(headers={"User-Agent": user_agent()}, timeout=timeout) as http,
            asyncio.TaskGroup() as group,
        ):
            for queue in queues.values():
                queue.reverse()
                for _ in range(min(self._manners.per_host, len(queue))):
                    group.create_task(self._work(http, queue))
        return ImageReport(self._fetched, self._present, dict(self._failed))

    async def _work(self, http: httpx2.AsyncClient, queue: list[str]) -> None:
        """Settle the items of one host, one after the other."""
        while queue:
            item = queue.pop()
            outcome = await self._settle(http, item)
            self._outcomes.add(outcome)
            if outcome.status == "fetched":
                self._fetched += 1
            else:
                self._failed[outcome.reason] += 1
            self._tell()

    async def _settle(self, http: httpx2.AsyncClient, item: str) -> Outcome:
        url = self._wanted[item]
        if len(file_stem(item)) > _LONGEST_STEM:
            return Outcome(item, url, "failed", "id too long for a file name", permanent=True)
        patience = self._manners.patience
        attempts = AsyncRetrying(
            stop=stop_after_attempt(patience.attempts),
            wait=patience.wait,
            retry=retry_if_exception(patience.bears),
            reraise=True,
        )
        try:
            raw: bytes = await attempts(self._get, http, url)
            await asyncio.to_thread(self._store, item, raw)
        except _FailedError as error:
            return Outcome(item, url, "failed", error.reason, error.detail, permanent=True)
        except PassingError as error:
            return Outcome(item, url, "failed", error.reason)
        return Outcome(item, url, "fetched")

    async def _get(self, http: httpx2.AsyncClient, url: str) -> bytes:
        """The body at `url`, redirects followed one by one so that each host is treated alike."""
        for _ in range(1 + _REDIRECTS):
            host_name = _host_of(url)
            if not host_name:
                raise _FailedError("no http address", url)
            async with self._turn(self._hosts[host_name]) as host:
                try:
                    async with asyncio.timeout(self._manners.timeout):
                        answer = await self._ask(http, host, url)
                except (TimeoutError, httpx2.TimeoutException) as error:
                    raise PassingError("timeout") from error
                except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError) as error:
                    raise _FailedError("no http address", str(error)) from error
                except httpx2.DecodingError as error:
                    raise _FailedError("not an image", str(error)) from error
                except httpx2.TransportError as error:
                    raise PassingError("connection failed") from error
            if isinstance(answer, bytes):
                return answer
            url = answer
        raise _FailedError("too many redirects")

    @asynccontextmanager
    async def _turn(self, host: _Host) -> AsyncIterator[_Host]:
        """Wait until `host` may be asked, and hold a connection."""
        async with host.turns:
            async with host.pace:
                # Asked anew after each sleep: meanwhile the host may have put us off.
                while not host.closed and (left := host.next_start - time.monotonic()) > 0:  # noqa: ASYNC110
                    await asyncio.sleep(left)
                host.next_start = time.monotonic() + self._manners.delay
            if host.closed:
                raise PassingError(host.closed, wait=float("inf"))
            async with self._connections:
                yield host

    async def _ask(self, http: httpx2.AsyncClient, host: _Host, url: str) -> bytes | str:
        """One request: the body, or the address that it redirects to."""
        async with http.stream("GET", url) as response:
            status = response.status_code
            if response.has_redirect_location:
                return str(response.url.join(response.headers["location"]))
            if status in PASSING_STATUS:
                self._put_off(host, retry_after(response.headers))
                raise PassingError(f"HTTP {status}")
            if status != httpx2.codes.OK:
                raise _FailedError(f"HTTP {status}")
            length = response.headers.get("content-length", "")
            if length.isdecimal() and int(length) > self._manners.largest:
                raise _FailedError("too large", f"{length} bytes")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._manners.largest:
                    raise _FailedError("too large", f"more than {self._manners.largest} bytes")
            return bytes(body)

    def _put_off(self, host: _Host, wait: float | None) -> None:
        """What a server asks of one request holds for all of ours."""
        if wait is None:
            return
        if wait > self._manners.patience.longest_wait:
            host.closed = "host asks for a long wait"
        else:
            host.next_start = max(host.next_start, time.monotonic() + wait)

    def _store(self, item: str, raw: bytes) -> None:
        try:
            extension = picture_extension(raw)
        except PictureError as error:
            raise _FailedError("not an image", str(error)) from error
        target = self._folder / f"{file_stem(item)}.{extension}"
        unfinished = self._folder / f".{file_stem(item)}.part"
        unfinished.write_bytes(raw)
        unfinished.replace(target)
        broken = self._there[item]
        if broken is not None and broken != target:
            broken.unlink()

    def _tell(self) -> None:
        if self._told is not None:
            done = self._fetched + self._present + sum(self._failed.values())
            self._told(done, len(self._wanted))


def _is_picture(path: Path | None) -> bool:
    if path is None:
        return False
    try:
        picture_extension(path.read_bytes())
    except PictureError:
        return False
    return True


def _host_of(url: str) -> str:
    """Host and port of an http address; "" for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    return f"{host}:{port}" if host and parts.scheme in ("http", "https") else ""
