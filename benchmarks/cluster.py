"""Runs in actors of Ray beside the same run in one process: seconds of the audience, and of everything.

Each engine runs the same scenario in a process of its own, one after the other and several times over, against a server of fixed latency in another
process, or with the embedded stand-in. Whether all came to the same bytes is said as well.
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
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.recording import record
from simulator.run import main as run_main

_ROOT = Path(__file__).parents[1]
_SCENARIO = Path(__file__).with_name("served.yaml")
_ENGINES = {"local": ["engine.kind=local"]} | {
    f"ray, {actors}": ["engine.kind=ray", f"engine.actors={actors}"] for actors in (1, 2, 4)
}
_REPLY = "I would accept these recommendations: Casino (1995), Ronin (1998). " * 12


def main() -> None:
    """Measure, or be the server."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=500)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--latency-ms", type=int, default=50)
    options.add_argument("--concurrency", type=int, default=64)
    options.add_argument("--out", default="cluster", help="name of the result")
    options.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve is not None:
        asyncio.run(_serve(chosen.serve))
    else:
        _measure(chosen)


def _measure(chosen: argparse.Namespace) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.cluster", "--serve", str(chosen.latency_ms / 1000)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        endpoint = [
            "users.client=openai",
            "users.model=fixed-latency",
            f"users.base_url={url}",
            "users.api_key_env=null",
            "users.params={max_tokens: 900}",
            f"users.concurrency={chosen.concurrency}",
        ]
        found = {
            name: _beside_each_other(chosen, overrides)
            for name, overrides in (("server", endpoint), ("stand-in", ["users.client=standin"]))
        }
    finally:
        server.terminate()
        server.wait()
    for name, engines in found.items():
        for engine, told in engines.items():
            print(f"{name:10} {engine:8} {told}")
    record(chosen.out, {"options": vars(chosen), "found": found}, "python -m benchmarks.cluster")


def _beside_each_other(chosen: argparse.Namespace, overrides: list[str]) -> dict[str, Any]:
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in _ENGINES}
    turns: dict[str, bytes] = {}
    size = [
        f"users.count={chosen.users}",
        f"rounds={chosen.rounds}",
        "data.max_users=1500",
        "cold_start.lengths=[5]",
        "users.cache=false",
        "tolerance.failed=1",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(chosen.repeats):
            for name, engine in _ENGINES.items():
                out = Path(folder) / f"{name}-{repeat}"
                began = time.perf_counter()
                words = [word for key in (*size, *overrides, *engine) for word in ("--set", key)]
                subprocess.run(
                    [
                        sys.executable,
                        "-m",
                        run_main.__module__,
                        _SCENARIO,
                        "--no-report",
                        "--out",
                        out,
                        *words,
                    ],
                    cwd=_ROOT,
                    env=os.environ | {"NO_PROXY": "127.0.0.1"},
                    check=True,
                    capture_output=True,
                )
                whole = time.perf_counter() - began
                seconds = json.loads((out / "summary.json").read_bytes())["seconds"]
                took[name].append((sum(s for stage, s in seconds.items() if "audience" in stage), whole))
                turns.setdefault(name, (out / "turns.jsonl").read_bytes())
    return {
        name: {
            "audience_seconds": round(median(audience for audience, _ in each), 2),
            "all_seconds": round(median(whole for _, whole in each), 2),
            "every_run": [tuple(round(value, 2) for value in pair) for pair in each],
            "same_turns_as_local": turns[name] == turns["local"],
        }
        for name, each in took.items()
    }


async def _serve(latency: float) -> None:
    """Answers everything after `latency` seconds with the same text."""
    said = {"message": {"role": "assistant", "content": _REPLY}, "finish_reason": "stop", "index": 0}
    usage = {"prompt_tokens": 700, "completion_tokens": 250, "total_tokens": 950}
    told = {
        "id": "1",
        "object": "chat.completion",
        "model": "fixed-latency",
        "choices": [said],
        "usage": usage,
    }
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = head.encode() + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                length = next(line for line in lines if line.startswith("content-length:"))
                await reader.readexactly(int(length.split(":")[1]))
                await asyncio.sleep(latency)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    main()
