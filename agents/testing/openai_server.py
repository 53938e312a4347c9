"""A chat completions server on loopback that answers, is slow, and fails in all the ways real ones do.

    with OpenAIServer(answer=lambda body: "3, 1, 2", faults=seeded_faults(0.3, seed=1)) as server:
        client = OpenAIClient(base_url=server.base_url, ...)

It speaks HTTP/1.1 with keep-alive on its own event loop in a thread, and counts what it received and answered.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agents.testing.batch_server import BatchServer


class Fault(Enum):
    """What a request meets instead of a plain answer."""

    SLOW = "waits `fault_wait` seconds before it answers"
    DRIP = "answers, but one byte at a time over `fault_wait` seconds"
    LENGTH = "answers half the text, with finish_reason length"
    RATE_SECONDS = "429, Retry-After in seconds"
    RATE_DATE = "429, Retry-After as an HTTP date"
    RATE_MS = "429, retry-after-ms"
    RATE_BARE = "429 without a hint"
    ERROR_408 = "408"
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    CUT_BEFORE = "connection closed before the answer"
    CUT_BODY = "connection closed in the middle of the body"
    INVALID_JSON = "200 with a body that is no JSON"
    EMPTY_CHOICES = "200 with no choices"
    BAD_REQUEST = "400"
    BAD_KEY = "401, quoting the key it was given"
    FORBIDDEN = "403"
    NO_MODEL = "404"
    NO_QUOTA = "429, insufficient_quota"


TRANSIENT = tuple(
    fault
    for fault in Fault
    if fault.name.startswith(("RATE", "ERROR", "CUT")) or fault in (Fault.INVALID_JSON, Fault.EMPTY_CHOICES)
)
"""Faults after which the same request may be answered."""

_STATUS = {
    Fault.RATE_SECONDS: 429,
    Fault.RATE_DATE: 429,
    Fault.RATE_MS: 429,
    Fault.RATE_BARE: 429,
    Fault.ERROR_408: 408,
    Fault.ERROR_500: 500,
    Fault.ERROR_502: 502,
    Fault.ERROR_503: 503,
    Fault.BAD_REQUEST: 400,
    Fault.BAD_KEY: 401,
    Fault.FORBIDDEN: 403,
    Fault.NO_MODEL: 404,
    Fault.NO_QUOTA: 429,
}


def seeded_faults(rate: float, seed: int, kinds: Sequence[Fault] = TRANSIENT) -> Iterator[Fault | None]:
    """An endless stream in which each request meets one of `kinds` with probability `rate`."""
    draw = random.Random(seed)
    while True:
        yield draw.choice(kinds) if draw.random() < rate else None


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    body: dict[str, Any]
    authorization: str


class OpenAIServer:
    """Serves from `with` to its end on 127.0.0.1 and a free port.

    `answer` gives the text for a request body. `faults` are used up one a request, in order of arrival; after the
    last there are none. `delay` is waited before each answer; `retry_after` is what 429 asks for. Times in seconds.
    """

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], str] = lambda body: "ok",
        *,
        delay: float = 0.0,
        faults: Iterable[Fault | None] = (),
        retry_after: float = 0.02,
        fault_wait: float = 1.0,
        batches: BatchServer | None = None,
    ) -> None:
        self.answer = answer
        self.batches = batches
        """What answers below /v1/files and /v1/batches; None: there is no Batch API here."""
        self.delay = delay
        self.retry_after = retry_after
        self.fault_wait = fault_wait
        self.received: list[Received] = []
        """Every request that arrived, in order."""
        self.answered = 0
        """Completions sent in full."""
        self.most_at_once = 0
        """The largest number of requests in hand at one time."""
        self._faults = chain(faults, repeat(None))
        self._in_hand = 0
        self._port = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-server", daemon=True)

    @property
    def base_url(self) -> str:
        """What a client takes as its base_url."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def requests(self) -> int:
        """How many requests arrived."""
        return len(self.received)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client, or the test, is done with this connection
        finally:
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False if the connection is to be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target = request_line.split()[:2]
        if (method, target) != ("POST", "/v1/chat/completions"):
            return await self._reply_to_batches(writer, method, target, headers, content)
        self.received.append(Received(json.loads(content), headers.get("authorization", "")))
        self._in_hand += 1
        self.most_at_once = max(self.most_at_once, self._in_hand)
        try:
            return await self._reply(writer, next(self._faults), self.received[-1])
        finally:
            self._in_hand -= 1

    async def _reply(self, writer: asyncio.StreamWriter, fault: Fault | None, received: Received) -> bool:
        await asyncio.sleep(self.fault_wait if fault is Fault.SLOW else self.delay)
        if fault in _STATUS:
            return await _send(writer, _STATUS[fault], *self._refusal(fault, received))
        if fault is Fault.CUT_BEFORE:
            return False
        if fault is Fault.INVALID_JSON:
            return await _send(writer, 200, '{"choices": [{"message": ')
        content = json.dumps(self._completion(received.body, fault))
        if fault is Fault.CUT_BODY:
            head, _, rest = _message(200, content, {}).partition(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n" + rest[: len(rest) // 2])
            await writer.drain()
            return False
        if fault is Fault.DRIP:
            for byte in (message := _message(200, content, {})):
                writer.write(bytes([byte]))
                await asyncio.sleep(self.fault_wait / len(message))
        else:
            await _send(writer, 200, content)
        self.answered += fault is not Fault.EMPTY_CHOICES
        return True

    async def _reply_to_batches(
        self,
        writer: asyncio.StreamWriter,
        method: str,
        target: str,
        headers: dict[str, str],
        content: bytes,
    ) -> bool:
        if self.batches is None:
            return await _send(writer, 404, _error("no such path", "invalid_request_error"))
        fault = next(self.batches.faults)
        if fault in _STATUS:
            asked = Received({}, headers.get("authorization", ""))
            return await _send(writer, _STATUS[fault], *self._refusal(fault, asked))
        status, said = self.batches.reply(
            method, target, headers, content, lambda body: self._completion(body, None)
        )
        if fault is Fault.CUT_BEFORE:
            return False
        return await _send(writer, status, said)

    def _completion(self, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        text = self.answer(body)
        if fault is Fault.LENGTH:
            text = text[: len(text) // 2]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "length" if fault is Fault.LENGTH else "stop",
        }
        prompt = sum(len(message["content"].split()) for message in body["messages"])
        return {
            "id": f"chatcmpl-{len(self.received)}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [] if fault is Fault.EMPTY_CHOICES else [choice],
            "usage": {"prompt_tokens": prompt, "completion_tokens": len(text.split())},
        }

    def _refusal(self, fault: Fault, received: Received) -> tuple[str, dict[str, str]]:
        if fault is Fault.NO_QUOTA:
            return _error("You exceeded your current quota", "insufficient_quota"), {}
        if fault is Fault.BAD_KEY:
            return _error(f"Incorrect API key provided: {received.authorization}", "invalid_api_key"), {}
        if fault is Fault.RATE_SECONDS:
            headers = {"Retry-After": f"{self.retry_after:g}"}
        elif fault is Fault.RATE_MS:
            headers = {"retry-after-ms": f"{self.retry_after * 1e3:g}"}
        elif fault is Fault.RATE_DATE:
            at = datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.retry_after, UTC)
            headers = {"Retry-After": format_datetime(at, usegmt=True)}
        else:
            headers = {}
        return _error(fault.value, "test_fault"), headers


def _error(message: str, code: str) -> str:
    return json.dumps({"error": {"message": message, "type": code, "code": code, "param": None}})


async def _send(
    writer: asyncio.StreamWriter, status: int, content: str, headers: dict[str, str] | None = None
) -> bool:
    writer.write(_message(status, content, headers or {}))
    await writer.drain()
    return True


def _message(status: int, content: str, headers: dict[str, str]) -> bytes:
    body = content.encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Test\r\n{head}\r\n".encode("latin-1") + body
