"""A file server on loopback that does what real ones do to downloads: cuts, changes, refuses, dawdles.

with FileServer({"/a.zip": Page(body, cut=[100])}) as server:
    fetch(server.url("/a.zip"))
server.requests  # what was asked, in order
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass
class Page:
    """One address. Lists are used up, one entry a request; then the page is served as it is."""

    body: bytes = b""
    etag: str | None = '"1"'
    ranges: bool = True
    cut: list[int] = field(default_factory=list)
    """Close the connection after so many bytes of the body."""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers instead of the body."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """Content-Length that is claimed; -1: none."""
    drip: float = 0.0
    """Seconds between pieces of 1000 bytes."""


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    time: float


class FileServer:
    def __init__(self, pages: dict[str, Page]) -> None:
        self.pages = pages
        self.requests: list[Asked] = []
        self.sent = 0
        """Bytes of bodies."""
        self.at_once = 0
        """Requests that waited for the last of their bytes at the same time, at most."""
        self._open = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with outer._lock:
                    outer.requests.append(Asked(self.path, dict(self.headers), time.monotonic()))
                    outer._open += 1
                    outer.at_once = max(outer.at_once, outer._open)
                try:
                    outer._answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self._http.server_port}{path}"

    def asked(self, path: str) -> list[Asked]:
        return [request for request in self.requests if request.path == path]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        page = self.pages.get(handler.path, Page(status=404))
        if page.answers:
            status, headers = page.answers.pop(0)
            self._ends()
            self._head(handler, status, headers, 0)
            return
        start, status, headers = 0, page.status, dict(page.headers)
        if page.etag is not None:
            headers["ETag"] = page.etag
        wanted = handler.headers.get("Range")
        if wanted and page.ranges and handler.headers.get("If-Range") in (None, page.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(page.body):
                self._ends()
                self._head(handler, 416, {"Content-Range": f"bytes */{len(page.body)}"}, 0)
                return
            status = 206
            headers.setdefault("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
        body = page.body[start:]
        self._head(handler, status, headers, len(body) if page.length is None else page.length)
        cut = page.cut.pop(0) if page.cut else None
        body = body[:cut]
        step = 1000 if page.drip else len(body) or 1
        for at in range(0, len(body), step):
            time.sleep(page.drip)
            piece = body[at : at + step]
            with self._lock:
                self.sent += len(piece)
            if at + step >= len(body):
                self._ends()
            handler.wfile.write(piece)
        if not body:
            self._ends()
        if cut is not None or page.length is not None:
            handler.close_connection = True

    def _ends(self) -> None:
        # Before the last write: after it the client may already have begun the next request.
        with self._lock:
            self._open -= 1

    @staticmethod
    def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], length: int) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if length >= 0:
            handler.send_header("Content-Length", str(length))
        else:
            handler.send_header("Connection", "close")
        handler.end_headers()
