"""Turns a second of a replay, on one core, without a network: `python -m benchmarks.replay [--quick]`.

A run of embedded data, the popularity recommender and null users that answer in the asked form is recorded: nine arms, 10 candidates a turn. Then
`python -m simulator.run --replay` of it is run in a process of its own (`benchmarks.offline_replay`) with one thread and no network, and its turns are
compared byte for byte with the recorded ones. A second recording has the stand-in answer in prose with a reason for each candidate, as language models do: such replies are
searched, which takes most of the time (`prose`).

`turns_per_second` is of the whole replay of turns, by the clock: opening the journal and checking every line of it, reading the slates, memories and personas, rendering
every prompt and hashing every request, parsing every reply, four null users a turn, refining, and writing turns.jsonl. Not in it: starting Python and importing torch (`start_s`), generating
the data, and the metrics after the turns (`metrics_s`). `turns_per_cpu_second` is the same by the time that the process had on a core, for machines that are not idle. `parts_s` is
from another replay of the same run, with a clock around each part, which costs some time itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.recording import record

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCENARIO = """\
name: replayed
data: {{source: embedded}}
recommender: {{model: popularity}}
users: {{count: {users}, client: {client}}}
cold_start: {{lengths: [4, 6, 8, 10, 12, 14, 16, 18, 20]}}
n: 5
cutoffs: [1, 3, 5]
rounds: {rounds}
refinement: {{policy: fuse, weight: 0.5}}
"""
_ONE_CORE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, replay, compare, and print the result."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.replay", description="Turns a second of a replay."
    )
    options.add_argument("--quick", action="store_true", help="5,400 turns instead of 54,000")
    quick = options.parse_args(arguments).quick
    with tempfile.TemporaryDirectory() as folder:
        plain = _measured(
            Path(folder) / "plain", "random", *((100, 6) if quick else (500, 12)), parts=not quick
        )
        prose = _measured(Path(folder) / "prose", "standin", *((100, 1) if quick else (200, 3)), parts=False)
    record(
        "replay" + ("-quick" if quick else ""),
        {**plain, "prose": prose},
        "python -m benchmarks.replay" + " --quick" * quick,
    )
    return 0


def _measured(folder: Path, client: str, users: int, rounds: int, *, parts: bool) -> dict[str, Any]:
    folder.mkdir()
    scenario, recorded = folder / "scenario.yaml", folder / "recorded"
    scenario.write_text(_SCENARIO.format(users=users, client=client, rounds=rounds), encoding="utf-8")
    print(f"recording: {users} users, {rounds} rounds, {client}", file=sys.stderr)
    _run("simulator.run", scenario, "--no-report", "--out", recorded)
    turns = (recorded / "turns.jsonl").read_bytes()
    count = turns.count(b"\n")
    print(f"replaying {count:,} turns", file=sys.stderr)
    began = time.perf_counter()
    found = json.loads(_run("benchmarks.offline_replay", recorded, folder / "replayed").splitlines()[-1])
    wall = time.perf_counter() - began
    if (folder / "replayed" / "turns.jsonl").read_bytes() != turns:
        raise SystemExit("the replayed turns are not those that were recorded")
    stages = found["stages"]
    result = {
        "turns": count,
        "turns_per_second": round(count / found["seconds"]),
        "turns_per_cpu_second": round(count / found["cpu_seconds"]),
        "sockets_opened": found["sockets_opened"],
        "identical": True,
        "metrics_s": stages["metrics"],
        "start_s": round(wall - sum(stages.values()), 3),
        "wall_s": round(wall, 3),
    }
    if parts:
        timed = json.loads(
            _run("benchmarks.offline_replay", recorded, folder / "timed", "--parts").splitlines()[-1]
        )
        told = {name: round(seconds, 3) for name, seconds in timed["parts"].items()}
        played = sum(seconds for name, seconds in timed["parts"].items() if name != "metrics")
        result["parts_s"] = {**told, "the rest of the turns": round(timed["seconds"] - played, 3)}
    return result


def _run(module: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env={**os.environ, **_ONE_CORE},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{module} ended with exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
