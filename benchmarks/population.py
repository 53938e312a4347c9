r"""Large audiences: time and memory of one round for 10^4 to 10^6 simulated users, and the share of Mesa in it.

Each size is a whole `simulator.run` in a process of its own: prompts, keys, journal on the disk, parsing, four null users beside every
turn, refinement, turns, metrics. The echo user answers, in the process, so that what is measured is ours; the popularity
recommender proposes. Simulated users are those of 20,000 generated people (synthetic), put into the world as often as it takes
(`replicates`), each an agent with calls of its own.

    python -m benchmarks.population [--users 10000 100000 1000000] [--folder DIR]

`microseconds_per_user_round` is the time from the first prompt to the last number over the users; `exponent` the slope of
log(processor time) over log(users), from the smallest to the largest size: 1 is linear. `mesa_share` is the share of the time that mesa's own code takes (agents registered, numbers
collected), measured by clocks around it. `processor_microseconds_per_user` is the processor time of the whole process, data, start and
end included, over the users: on a machine that others use as well the steadier number. About 15 KB of disk are needed for a user; each run is deleted when it was measured.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import mesa

from benchmarks.recording import record

_PEOPLE = 20_000
_STAGES = ("audience, test", "metrics")


def main() -> None:
    """Run and record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--users", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    options.add_argument("--folder", type=Path, help="for the runs (default: a temporary one)")
    options.add_argument("--out", default="population", help="name of the result")
    options.add_argument("--one", nargs=2, metavar=("USERS", "DIR"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        _one(int(chosen.one[0]), Path(chosen.one[1]))
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        sizes = [_measured(users, Path(folder) / str(users)) for users in chosen.users]
    largest = sizes[-1]
    exponent = None
    if len(sizes) > 1:
        first = sizes[0]
        key = "processor_seconds"
        exponent = math.log(largest[key] / first[key]) / math.log(largest["users"] / first["users"])
    fields = {**largest, "exponent": exponent, "sizes": sizes}
    told = " ".join(map(str, chosen.users))
    record(chosen.out, fields, f"python -m benchmarks.population --users {told}")


def _measured(users: int, folder: Path) -> dict[str, Any]:
    """One size, in a process of its own."""
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.population", "--one", str(users), str(folder)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    clocks = json.loads((folder / "clocks.json").read_bytes())
    run = folder / "run"
    summary = json.loads((run / "summary.json").read_bytes())
    seconds = sum(summary["seconds"][stage] for stage in _STAGES)
    planned = sum(entry["planned"] for entry in summary["replies"].values())
    found = {
        "users": planned,
        "seconds": round(seconds, 1),
        "processor_seconds": round(clocks["processor"], 1),
        "microseconds_per_user_round": round(1e6 * seconds / planned, 1),
        "processor_microseconds_per_user": round(1e6 * clocks["processor"] / planned, 1),
        "stages": {stage: summary["seconds"][stage] for stage in _STAGES},
        "peak_mib": summary["peak_mib"],
        "mesa_share": round(clocks["mesa"] / seconds, 4),
        "processor_share": round(clocks["processor"] / clocks["wall"], 3),
        "bytes_on_disk_per_user": round(sum(file.stat().st_size for file in run.iterdir()) / planned),
    }
    print(json.dumps(found), file=sys.stderr)
    shutil.rmtree(folder)
    return found


def _one(users: int, folder: Path) -> None:
    """A run with clocks around what is mesa's."""
    # Imported here: only the process that runs needs it.
    from simulator.run import main as run  # noqa: PLC0415

    people = min(users, _PEOPLE)
    if users % people:
        raise SystemExit(f"{users} users are no multiple of {people}: give another number")
    scenario = {
        "name": "population",
        "data": {"source": "embedded", "generated_users": people + 1_000},
        "recommender": {"model": "popularity"},
        "users": {"count": people, "client": "echo", "cache": False},
        "cold_start": {"lengths": None},
        "refinement": {"policy": "replace"},
        "replicates": users // people,
    }
    path = folder / "scenario.yaml"
    path.write_text(json.dumps(scenario), encoding="utf-8")  # which is YAML as well
    clock = _Clock()
    clock.around(mesa.Agent, "__init__")
    clock.around(mesa.Model, "__init__")
    clock.around(mesa.DataCollector, "collect")
    began, processor = time.perf_counter(), time.process_time()
    code = run([str(path), "--out", str(folder / "run"), "--no-report"])
    if code:
        raise SystemExit(code)
    told = {
        "mesa": clock.seconds,
        "wall": time.perf_counter() - began,
        "processor": time.process_time() - processor,
    }
    (folder / "clocks.json").write_text(json.dumps(told), encoding="utf-8")


class _Clock:
    """Seconds inside of what it was put around, each counted once however deep the calls go."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def around(self, owner: type, name: str) -> None:
        inner = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            self._depth += 1
            began = time.perf_counter()
            try:
                return inner(*args, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - began

        setattr(owner, name, timed)


if __name__ == "__main__":
    main()
