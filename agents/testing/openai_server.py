"""A chat completions server on loopback that answers, is slow, and fails in all the ways real ones do.

    with OpenAIServer(answer=lambda body: "3, 1, 2", faults=seeded_faults(0.3, seed=1)) as server:
        client = OpenAIClient(base_url=server.base_url, ...)

It speaks HTTP/1.1 with keep-alive on its own event loop in a thread, and counts what it received and answered.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Self

from agents.testing.faults import ANSWERS, TRANSIENT, Fault, seeded_faults
from agents.testing.payloads import completion, error, rejection, token_logprobs, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from agents.testing.batch_server import BatchServer

__all__ = ["TRANSIENT", "Fault", "OpenAIServer", "Received", "Sent", "seeded_faults"]


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    body: dict[str, Any]
    authorization: str


@dataclass(frozen=True)
class Sent:
    """What a request met, and what its sender would be billed for."""

    received: Received
    fault: Fault | None
    text: str
    """Of the completion that was made for it, whether it arrived or not; "" where an error status was all."""
    prompt_tokens: int
    completion_tokens: int


class OpenAIServer:
    """Serves from `with` to its end on 127.0.0.1, at `port` or a free one.

    `answer` gives the text for a request body, `refuse` that of a refusal, `count` the tokens of prompt and text.
    `faults` are used up one a request, in order of arrival; after the last there are none. `delay` is waited before each
    answer; `retry_after` is what 429 asks for. Times in seconds. `logprobs` gives for body and text, token by token, the log
    probabilities of what could stand there, first what does; they are sent where a request asks for them. `alter` may change a completion before it is sent, and
    `headers` go with everything.
    """

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], str] = lambda body: "ok",
        *,
        delay: float = 0.0,
        faults: Iterable[Fault | None] = (),
        retry_after: float = 0.02,
        fault_wait: float = 1.0,
        refuse: Callable[[dict[str, Any]], str] = lambda body: "I'm sorry, but I can't help with that.",
        count: Callable[[dict[str, Any], str], tuple[int, int]] = words,
        logprobs: Callable[[dict[str, Any], str], Sequence[Mapping[str, float]]] | None = None,
        alter: Callable[[dict[str, Any]], dict[str, Any]] = lambda completion: completion,
        headers: Mapping[str, str] | None = None,
        port: int = 0,
        batches: BatchServer | None = None,
    ) -> None:
        self.answer, self.refuse, self.count, self.alter = answer, refuse, count, alter
        self.logprobs = logprobs
        self.headers = headers or {}
        self.batches = batches
        """What answers below /v1/files and /v1/batches; None: there is no Batch API here."""
        self.delay = delay
        self.retry_after = retry_after
        self.fault_wait = fault_wait
        self.received: list[Received] = []
        """Every request that arrived, in order."""
        self.sent: list[Sent] = []
        """What became of them, in the order of its sending."""
        self.answered = 0
        """Completions sent in full."""
        self.most_at_once = 0
        """The largest number of requests in hand at one time."""
        self.in_hand = 0
        """Requests that are not done with yet."""
        self._faults = chain(faults, repeat(None))
        self._port = port
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
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=1024)
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
        self.in_hand += 1
        self.most_at_once = max(self.most_at_once, self.in_hand)
        try:
            return await self._reply(reader, writer, next(self._faults), self.received[-1])
        finally:
            self.in_hand -= 1

    async def _reply(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault | None,
        received: Received,
    ) -> bool:
        await asyncio.sleep(self.fault_wait if fault is Fault.SLOW else self.delay)
        if fault is not None and fault.status >= 400:
            self.sent.append(Sent(received, fault, "", 0, 0))
            return await self._send(
                writer, fault.status, *rejection(fault, received.authorization, self.retry_after)
            )
        text = self._text(received.body, fault)
        tokens = self.count(received.body, text)
        self.sent.append(Sent(received, fault, text, *tokens))
        if fault is Fault.HANG:
            await reader.read()
            return False
        if fault is Fault.CUT_BEFORE:
            return False
        if fault is Fault.INVALID_JSON:
            return await self._send(writer, 200, '{"choices": [{"message": ')
        if fault is Fault.GARBAGE:
            return await self._send(writer, 200, bytes(range(256)))
        told = self._told(received.body, text, tokens, fault)
        message = self._message(200, json.dumps(told))
        if fault in (Fault.CUT_BODY, Fault.RESET_BODY):
            head, end, rest = message.partition(b"\r\n\r\n")
            writer.write(head + end + rest[: len(rest) // 2])
            await writer.drain()
            if fault is Fault.RESET_BODY:
                _reset_on_close(writer)
            return False
        if fault is Fault.DRIP:
            for byte in message:
                writer.write(bytes([byte]))
                await writer.drain()  # says so if the client has gone away
                await asyncio.sleep(self.fault_wait / len(message))
        else:
            writer.write(message)
        await writer.drain()
        self.answered += fault in ANSWERS
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
            return await self._send(writer, 404, error("no such path", "invalid_request_error"))
        fault = next(self.batches.faults)
        if fault is not None and fault.status >= 400:
            authorization = headers.get("authorization", "")
            return await self._send(writer, fault.status, *rejection(fault, authorization, self.retry_after))
        status, said = self.batches.reply(method, target, headers, content, self._answer)
        if fault is Fault.CUT_BEFORE:
            return False
        return await self._send(writer, status, said)

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        text = self._text(body, None)
        return self._told(body, text, self.count(body, text), None)

    def _told(
        self, body: dict[str, Any], text: str, tokens: tuple[int, int], fault: Fault | None
    ) -> dict[str, Any]:
        told = completion(body, text, tokens, fault, len(self.received))
        if self.logprobs is not None and body.get("logprobs"):
            for choice in told["choices"]:
                choice["logprobs"] = token_logprobs(self.logprobs(body, text), body.get("top_logprobs", 0))
        return self.alter(told)

    def _text(self, body: dict[str, Any], fault: Fault | None) -> str:
        if fault is Fault.REFUSAL:
            return self.refuse(body)
        text = self.answer(body)
        return text[: len(text) // 2] if fault is Fault.LENGTH else text

    async def _send(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        content: str | bytes,
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        writer.write(self._message(status, content, headers))
        await writer.drain()
        return True

    def _message(self, status: int, content: str | bytes, headers: Mapping[str, str] | None = None) -> bytes:
        body = content if isinstance(content, bytes) else content.encode()
        fields = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self.headers,
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {status} Test\r\n{head}\r\n".encode("latin-1") + body


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Lingering for no time makes the close a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
