"""Runs that are killed again and again (SIGKILL), each time gone on with, held against a run that nobody disturbed.

A run goes through its stages: starting, training, calls, ending (turns, metrics, summary). Points at which it is killed are drawn from all
of them, several for a run, and from the start of resumed processes too. `stages_hit` tells what a kill found on the disk:
no scenario yet, no trained recommender, calls to make, no turns, no summary.

The server's own account says what was paid for. A call is *journaled* at a kill if its line is whole in calls.jsonl after the process
is dead and the server has sent what it had in hand; it was *in flight* if the server had made its answer by then and it is not
journaled: the answer was on its way, or in the process and not yet on the disk (`in_flight_at_kill`, over all kills; `most_in_flight` at
one). `paid_twice` counts answers that the server made for a request (model, messages, parameters) that was journaled, as often as the undisturbed run
asks it, when the process that asked began. So what a run took in all is the calls of the undisturbed one and those in flight, no more.

The exit code is 1 if a run ended with other turns, metrics or proposals, if anything was paid twice, if a kill lost more than twice the concurrency
(as many calls may be under way, and as many may wait for the disk), or if going on failed.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.testing.openai_server import OpenAIServer
from benchmarks.recording import record
from benchmarks.served import Audience, CommandLine, asked, body_of, digest, whole_lines
from recommender.trained_directory import read_json

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.served import Ended

CONCURRENCY = 8
SIZE = {
    "data.max_users": 150,
    "recommender.model": "bprmf",
    "recommender.training.max_epochs": 6,
    "rounds": 3,
    "refinement.weight": "validation",
    "refinement.validation_share": 0.3,
    "users.concurrency": CONCURRENCY,
}
STAGES = ("starting", "training", "calls", "calls", "ending", "ending")
"""Where a run has its points."""
COMPARED = ("turns.jsonl", "proposals.jsonl", "metrics.json", "per_user.parquet")
_DELAY = 0.05
_POLL = 0.001


def main() -> int:
    """Kill and go on; 1 if any run is not what it would have been."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="3 kills")
    chosen = options.parse_args()
    kills = 3 if chosen.quick else chosen.kills
    with tempfile.TemporaryDirectory() as folder, OpenAIServer(Audience().answer, delay=_DELAY) as server:
        bench = Bench(server, Path(folder), random.Random(chosen.seed))
        bench.undisturbed(CommandLine(Path(folder) / "cache"))
        while bench.kills < kills:
            bench.disturbed(bench.points()[: kills - bench.kills])
            print(bench.fields(), file=sys.stderr, flush=True)
        fields = {**bench.fields(), "seed": chosen.seed}
    quick = "-quick" if chosen.quick else ""
    record(
        f"kill-resume{quick}", fields, f"python -m benchmarks.kill_resume {' '.join(sys.argv[1:])}".strip()
    )
    return 1 if fields["failures"] else 0


@dataclass(frozen=True)
class Point:
    """When a process is killed: so far into a stage, 0 to 1. A process that ends before is left alone."""

    stage: str
    fraction: float


@dataclass
class Account:
    """What was paid for in one run, by the server's list, against what its journal held at each kill.

    `planned` says how often the undisturbed run asks each request.
    """

    planned: Counter[str]
    paid: Counter[str] = field(default_factory=Counter)
    journaled: Counter[str] = field(default_factory=Counter)
    paid_twice: int = 0
    strange: int = 0
    """Answers to requests that the undisturbed run never made."""
    in_flight: list[int] = field(default_factory=list)
    """At each kill."""

    def ended(self, sent: Iterable[str], journaled: Iterable[str], *, killed: bool) -> None:
        """A process is over: the requests that the server answered it, and all that the journal holds now."""
        for request in sent:
            self.paid[request] += 1
            self.strange += request not in self.planned
            self.paid_twice += self.journaled[request] >= self.planned[request] > 0
        now = Counter(journaled)
        if killed:
            self.in_flight.append((self.paid - now).total() - sum(self.in_flight))
        self.journaled = now


@dataclass(frozen=True)
class Pace:
    """Seconds that the undisturbed run took from its start to its scenario, to the trained weights, and after its last call."""

    starting: float
    training: float
    ending: float


class Bench:
    """One server, one undisturbed run, and what became of the others."""

    def __init__(self, server: OpenAIServer, folder: Path, draw: random.Random) -> None:
        self._server, self._folder, self._draw = server, folder, draw
        self._whole = folder / "undisturbed"
        self._planned: Counter[str] = Counter()
        self._pace = Pace(0, 0, 0)
        self._accounts: list[Account] = []
        self._stages: Counter[str] = Counter()
        self._failures: list[str] = []
        self._begun_anew = 0

    @property
    def kills(self) -> int:
        """So far."""
        return self._stages.total()

    def undisturbed(self, run: Callable[[Sequence[object]], Ended]) -> None:
        """The run that all others must equal."""
        began = time.time()
        ended = run(asked(self._server.base_url, self._whole, SIZE))
        if ended.code != 0:
            raise SystemExit(f"exit code {ended.code} where 0 was expected:\n{ended.err}")
        self._planned = Counter(_journaled(self._whole))
        begun, called, done = (
            (self._whole / name).stat().st_mtime for name in ("scenario.yaml", "calls.jsonl", "summary.json")
        )
        training = read_json(self._whole / "summary.json")["seconds"]["training"]
        self._pace = Pace(begun - began, training, done - called)

    def points(self) -> list[Point]:
        """Points of one run in the order of its life, and a start anywhere among them."""
        start, *later = (Point(stage, self._draw.random()) for stage in STAGES)
        # Before there is a run to go on with, in every other one.
        later.insert(self._draw.choice((0, self._draw.randrange(len(later) + 1))), start)
        return later

    def disturbed(self, points: Sequence[Point]) -> None:
        """A run that is killed at these points, and then left alone."""
        number, anew = len(self._accounts) + 1, 0
        account = Account(self._planned)
        self._accounts.append(account)
        command = CommandLine(self._folder / f"cache-{number}")
        out = self._folder / f"run-{number}"
        for point in (*points, None):
            if out.exists() and not (out / "scenario.yaml").exists():
                # It was killed before there was a run to go on with.
                anew += 1
                out = out.with_name(f"run-{number}-{anew}")
            arguments = (
                ["--resume", out, "--no-report"] if out.exists() else asked(self._server.base_url, out, SIZE)
            )
            first = len(self._server.sent)
            heard: list[str] = []
            with command.start(arguments) as process:
                listener = threading.Thread(target=_listen, args=(process, heard))
                listener.start()
                open_calls = self._planned.total() - account.journaled.total()
                killed = point is not None and self._kill_at(point, process, heard, open_calls)
                process.communicate()
                listener.join()
            while self._server.in_hand:
                time.sleep(_POLL)
            sent = [digest(each.received.body) for each in self._server.sent[first:]]
            account.ended(sent, _journaled(out), killed=killed)
            if killed:
                self._stages[_stage(out, account)] += 1
            elif process.returncode != 0:
                self._failures.append(
                    f"run {number} ended with exit code {process.returncode}: {' / '.join(heard[-20:])}"
                )
            if not killed:
                break
        self._begun_anew += anew
        self._compare(number, out)

    def fields(self) -> dict[str, Any]:
        """What was found so far."""
        in_flight = [count for account in self._accounts for count in account.in_flight]
        failures = list(self._failures)
        for number, account in enumerate(self._accounts, start=1):
            if account.paid_twice or account.strange:
                failures.append(
                    f"run {number}: {account.paid_twice} paid twice, {account.strange} never planned"
                )
            if account.paid.total() != self._planned.total() + sum(account.in_flight):
                failures.append(
                    f"run {number}: {account.paid.total()} answers paid for {self._planned.total()} calls and "
                    f"{sum(account.in_flight)} in flight"
                )
        if max(in_flight, default=0) > 2 * CONCURRENCY:
            failures.append(f"{max(in_flight)} answers were lost at one kill")
        return {
            "kills": self.kills,
            "runs": len(self._accounts),
            "identical": not self._failures,
            "paid_twice": sum(account.paid_twice for account in self._accounts),
            "in_flight_at_kill": sum(in_flight),
            "most_in_flight": max(in_flight, default=0),
            "calls_of_a_run": self._planned.total(),
            "paid": sum(account.paid.total() for account in self._accounts),
            "concurrency": CONCURRENCY,
            "stages_hit": dict(self._stages),
            "begun_anew": self._begun_anew,
            "failures": failures,
        }

    def _kill_at(
        self, point: Point, process: subprocess.Popen[str], heard: list[str], open_calls: int
    ) -> bool:
        """Kill the process when it gets to the point; False if it ended before. `heard` are the stages that it tells of."""
        began, first = time.perf_counter(), len(self._server.received)
        trains = called = math.inf
        while process.poll() is None:
            now = time.perf_counter()
            made = len(self._server.received) - first
            if trains == math.inf and "training ..." in heard:
                trains = now
            if called == math.inf and "audience, test ..." in heard and made >= open_calls:
                called = now
            reached = {
                "starting": now >= began + point.fraction * self._pace.starting,
                "training": now >= trains + point.fraction * self._pace.training,
                "calls": made > point.fraction * open_calls,
                "ending": now >= called + point.fraction * self._pace.ending,
            }
            if reached[point.stage]:
                if point.stage == "calls":
                    time.sleep(self._draw.random() * 2 * _DELAY)
                process.kill()
                return process.wait() < 0
            time.sleep(_POLL)
        return False

    def _compare(self, number: int, out: Path) -> None:
        for name in COMPARED:
            mine = out / name
            if not mine.exists() or mine.read_bytes() != (self._whole / name).read_bytes():
                self._failures.append(f"run {number}: other {name}")
        left = {path.name for path in out.iterdir()} ^ {path.name for path in self._whole.iterdir()}
        if left:
            self._failures.append(f"run {number}: {', '.join(sorted(left))} in one of the two only")


def _listen(process: subprocess.Popen[str], heard: list[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        heard.append(line.strip())  # noqa: PERF401 - somebody looks at it meanwhile


def _journaled(out: Path) -> list[str]:
    """The requests whose answers are on the disk."""
    return [digest(body_of(call)) for call in whole_lines(out / "calls.jsonl")]


def _stage(out: Path, account: Account) -> str:
    """How far a run had come when it was killed, by what is on the disk."""
    for name, stage in (("scenario.yaml", "starting"), ("training.json", "training")):
        if not (out / name).exists():
            return stage
    if account.journaled.total() < account.planned.total():
        return "calls"
    for name, stage in (("turns.jsonl", "turns"), ("summary.json", "metrics")):
        if not (out / name).exists():
            return stage
    return "after the end"


if __name__ == "__main__":
    raise SystemExit(main())
