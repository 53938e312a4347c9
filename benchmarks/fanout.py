"""Calls against a server of fixed latency: wall time over the ideal, CPU and memory, beside what others do.

The ideal is calls x latency / concurrency. Ours is the whole way of a call: key, journal on disk with fsync, limiter, retry, the OpenAI
client. Beside it, in the same run, the openai package bare: its asynchronous client under a semaphore, and its blocking one in a thread
pool; both keep answers in memory only. Every case runs in a process of its own, and the server in another, which answers at a fixed delay and does
next to nothing else; `server_cpu_ms_per_call` shows how little. How far the adaptive limit's start at 32 counts is in the ratio of short runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai

from agents.llm import Draw, Gateway, Message, Pace, Request
from agents.llm.openai_client import OpenAIClient
from benchmarks.recording import record
from recommender.stages import peak_mib
from simulator.transcript.journal import CallJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PROMPT = "You have watched The Godfather (1972) (5), Heat (1995) (4). " * 45
"""About as long as the prompts of a study."""
_REPLY = "I would accept these recommendations: Casino (1995), Ronin (1998). " * 12
_MODEL = "fixed-latency"
NAMES = ("screentest", "AsyncOpenAI with a semaphore", "OpenAI in a thread pool")


def main() -> None:
    """Run all cases, or be the process of one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, nargs="+", default=[1_000, 10_000])
    options.add_argument("--concurrency", type=int, nargs="+", default=[32, 128, 512])
    options.add_argument("--latency-ms", type=int, nargs="+", default=[50, 200])
    options.add_argument("--quick", action="store_true", help="500 calls at 50 ms, concurrency 32 and 128")
    options.add_argument("--out", help="name of the result (default: fanout)")
    options.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve is not None:
        asyncio.run(_serve(chosen.serve))
    elif chosen.case is not None:
        name, url, calls, concurrency = chosen.case
        print(json.dumps(_case(name, url, int(calls), int(concurrency))))
    else:
        if chosen.quick:
            chosen.calls, chosen.concurrency, chosen.latency_ms = [500], [32, 128], [50]
        _measure(chosen)


def _measure(chosen: argparse.Namespace) -> None:
    cases: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for latency in chosen.latency_ms:
        for concurrency in chosen.concurrency:
            for calls in chosen.calls:
                for name in NAMES:
                    case = measured(name, latency, calls, concurrency)
                    print(f"{name}: {case}", file=sys.stderr, flush=True)
                    cases[name].append(case)
    ours, *_ = NAMES
    fields = {"cases": cases.pop(ours), "peers": cases, "prompt_characters": len(_PROMPT)}
    quick = "-quick" if chosen.quick else ""
    command = f"python -m benchmarks.fanout {' '.join(sys.argv[1:])}".strip()
    record((chosen.out or "fanout") + quick, fields, command)


def measured(name: str, latency_ms: int, calls: int, concurrency: int) -> dict[str, Any]:
    """One case: a fresh server, a fresh client."""
    me = [sys.executable, "-m", "benchmarks.fanout"]
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    with subprocess.Popen(
        [*me, "--serve", str(latency_ms / 1000)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        told = subprocess.run(
            [*me, "--case", name, url, str(calls), str(concurrency)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ).stdout
        counted, _ = server.communicate()
    found, served = json.loads(told), json.loads(counted)
    if served["answered"] != calls:
        raise SystemExit(f"{name}: the server answered {served['answered']} of {calls} calls")
    ideal = calls * latency_ms / 1000 / concurrency
    return {
        "calls": calls,
        "concurrency": concurrency,
        "latency_ms": latency_ms,
        "ratio": round(found["seconds"] / ideal, 3),
        "calls_per_second": round(calls / found["seconds"], 1),
        "cpu_ms_per_call": round(found["cpu"] / calls * 1000, 3),
        "peak_mib": round(found["peak_mib"], 1),
        "server_cpu_ms_per_call": round(served["cpu"] / calls * 1000, 3),
    }


def _case(name: str, url: str, calls: int, concurrency: int) -> dict[str, float]:
    ask: Callable[[str, int, int], Iterator[None]] = dict(
        zip(NAMES, (_ours, _semaphore, _threads), strict=True)
    )[name]
    asking = ask(url, calls, concurrency)
    next(asking)  # what is made once is made before the clock starts
    began, cpu = time.perf_counter(), time.process_time()
    next(asking, None)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "peak_mib": peak_mib(),
    }


def _ours(url: str, calls: int, concurrency: int) -> Iterator[None]:
    message = Message("user", _PROMPT)
    requests = [Request((message,), _MODEL, {"temperature": 0.7}, Draw(f"u{n}", 1, 0)) for n in range(calls)]
    with tempfile.TemporaryDirectory() as folder:
        journal = CallJournal(Path(folder) / "calls.jsonl", "append")
        client = OpenAIClient(base_url=url)
        with journal, Gateway(client, journal, pace=Pace(concurrency)) as gateway:
            yield
            records = gateway.ask(requests)
            assert all(record.completion is not None for record in records)
            yield


def _semaphore(url: str, calls: int, concurrency: int) -> Iterator[None]:
    async def ask_all() -> None:
        # Without limits of its own the pool would hold more than its default number of connections back.
        client = openai.AsyncOpenAI(base_url=url, max_retries=0)
        slots = asyncio.Semaphore(concurrency)

        async def ask() -> str | None:
            async with slots:
                answer = await client.chat.completions.create(
                    model=_MODEL, messages=[{"role": "user", "content": _PROMPT}], temperature=0.7
                )
            return answer.choices[0].message.content

        assert all(await asyncio.gather(*(ask() for _ in range(calls))))

    yield
    asyncio.run(ask_all())
    yield


def _threads(url: str, calls: int, concurrency: int) -> Iterator[None]:
    client = openai.OpenAI(base_url=url, max_retries=0)

    def ask(_: int) -> str | None:
        answer = client.chat.completions.create(
            model=_MODEL, messages=[{"role": "user", "content": _PROMPT}], temperature=0.7
        )
        return answer.choices[0].message.content

    yield
    with ThreadPoolExecutor(concurrency) as pool:
        assert all(pool.map(ask, range(calls)))
    yield


class _Answering(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as clients need."""

    def __init__(self, latency: float, counts: list[int]) -> None:
        self._latency, self._counts = latency, counts
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length:
            self._buffer = body[length:]
            asyncio.get_running_loop().call_later(self._latency, self._answer)

    def _answer(self) -> None:
        self._counts[0] += 1
        self._transport.write(_RESPONSE)


def _response() -> bytes:
    content = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": _MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": _REPLY},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 800, "completion_tokens": 200, "total_tokens": 1000},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


_RESPONSE = _response()


async def _serve(latency: float) -> None:
    """Print the address, answer until standard input ends, print what was done."""
    counts = [0]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Answering(latency, counts), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    cpu = time.process_time()
    await ended.wait()
    print(json.dumps({"answered": counts[0], "cpu": time.process_time() - cpu}))
    server.close()


if __name__ == "__main__":
    main()
