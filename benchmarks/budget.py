"""Runs that reach a cap, by the server's own count of what it would charge, and what becomes of them with a higher cap.

The server counts every request that it did not turn away with an error status, whether its answer arrived or was cut off, was garbage, or was
never sent: tokens of the prompt and of the reply as OpenAI's vocabulary has them, at the prices that the run is told. Each cap (calls, tokens,
money) is half of what the whole run takes, with and without usage in the answers, with and without faults. `spent` must
not pass `cap`, the run must end with exit code 4, and go on with a higher cap, which is not passed either, to the turns, byte for byte, of
a run without caps and faults. `cap` and `spent` at the top are of the case that came closest to its cap.

The exit code is 1 if any of this does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agents.llm import Message, OwnPrices, token_counter
from agents.testing.faults import TRANSIENT, Fault, seeded_faults
from agents.testing.openai_server import OpenAIServer
from benchmarks.recording import record
from benchmarks.served import Audience, CommandLine, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.testing.openai_server import Sent
    from benchmarks.served import Ended

    Run = Callable[[Sequence[object]], Ended]

CONCURRENCY = 64
PRICES = OwnPrices(Decimal("0.15"), Decimal("0.6"), Decimal("0.15"), "of this benchmark")
CAPS = {"calls": "--max-calls", "tokens": "--max-tokens", "cost": "--max-cost"}
_RATE = 0.3
_TIMEOUT = 4.0
_HIGHER = 5
"""Times what a run takes that is answered at once; faults and missing usage make it count more."""


def main() -> int:
    """Run all cases; 1 if a cap was passed or a run did not go on to the same turns."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=150)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="one case, 40 users")
    chosen = options.parse_args()
    cases = [Case(*each) for each in product(CAPS, (True, False), (0.0, _RATE))]
    if chosen.quick:
        chosen.users, cases = 40, [Case("tokens", True, _RATE)]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(CommandLine(Path(folder) / "cache"), Path(folder), chosen.users, chosen.seed)
        found = []
        for case in cases:
            found.append(bench.judge(case))
            print(found[-1], file=sys.stderr, flush=True)
    fields = summary(found)
    fields["seed"] = chosen.seed
    quick = "-quick" if chosen.quick else ""
    record(f"budget{quick}", fields, f"python -m benchmarks.budget {' '.join(sys.argv[1:])}".strip())
    return 1 if fields["failures"] else 0


@dataclass(frozen=True)
class Case:
    """What is capped, whether answers tell their usage, how many requests meet a fault."""

    limits: str
    usage: bool
    fault_rate: float

    def faults(self, seed: int) -> Iterator[Fault | None]:
        """What each request meets."""
        for fault in seeded_faults(self.fault_rate, seed, (*TRANSIENT, Fault.HANG)):
            yield fault if fault or self.usage else Fault.NO_USAGE


class Bench:
    """A run without caps and faults, and others of the same scenario at the same address."""

    def __init__(self, run: Run, folder: Path, users: int, seed: int) -> None:
        self._run, self._folder, self._seed = run, folder, seed
        self._audience = Audience()
        self._tokens = token_counter("gpt-4o-mini")
        prices = {"input": float(PRICES.input), "output": float(PRICES.output)}
        self._size = {
            "users.count": users,
            "users.concurrency": CONCURRENCY,
            "users.timeout_s": _TIMEOUT,
            "users.attempts": 12,
            "users.prices": prices,
            "users.cache": False,
        }
        self._whole = folder / "whole"
        with self._server(Case("", True, 0.0), port=0) as server:
            self._port = urlsplit(server.base_url).port or 0
            ended = run(asked(server.base_url, self._whole, self._size))
        if ended.code != 0:
            raise SystemExit(f"exit code {ended.code} where 0 was expected:\n{ended.err}")
        self._takes = spent(server.sent)

    def judge(self, case: Case) -> dict[str, Any]:
        """The fields of a case."""
        out = self._folder / f"run-{case.limits}-{case.usage}-{case.fault_rate}"
        option = CAPS[case.limits]
        cap = self._takes[case.limits] / 2
        cap = cap.quantize(Decimal("0.000001")) if case.limits == "cost" else Decimal(int(cap))
        higher = cap * 2 * _HIGHER
        with self._server(case, self._port) as server:
            capped = self._run(asked(server.base_url, out, self._size, option, cap))
            first = spent(server.sent)
            again = self._run(["--resume", out, option, higher])
            both = spent(server.sent)
        turns = out / "turns.jsonl"
        return {
            "limits": case.limits,
            "usage": case.usage,
            "fault_rate": case.fault_rate,
            "cap": _number(cap),
            "spent": _number(first[case.limits]),
            "share": round(float(first[case.limits] / cap), 4),
            "code": capped.code,
            "higher_cap": _number(higher),
            "spent_in_all": _number(both[case.limits]),
            "code_resumed": again.code,
            "same_turns": turns.exists() and turns.read_bytes() == (self._whole / "turns.jsonl").read_bytes(),
            "requests": server.requests,
            "most_at_once": server.most_at_once,
        }

    def _server(self, case: Case, port: int) -> OpenAIServer:
        return OpenAIServer(
            self._audience.answer,
            delay=0.1,
            faults=case.faults(self._seed),
            retry_after=0.1,
            count=self._count,
            port=port,
        )

    def _count(self, body: dict[str, Any], text: str) -> tuple[int, int]:
        messages = [Message(message["role"], message["content"]) for message in body["messages"]]
        reply = self._tokens.text(text)
        if reply > body["max_tokens"]:
            raise ValueError(f"a reply of {reply} tokens where {body['max_tokens']} are allowed")
        return self._tokens.prompt(messages), reply


def spent(sent: Sequence[Sent]) -> dict[str, Decimal]:
    """Calls, tokens and money that a server charges for what it was asked."""
    charged = [each for each in sent if each.fault is None or each.fault.status < 400]
    prompts, replies = (
        sum(getattr(each, name) for each in charged) for name in ("prompt_tokens", "completion_tokens")
    )
    return {
        "calls": Decimal(len(charged)),
        "tokens": Decimal(prompts + replies),
        "cost": PRICES.cost(prompts, replies),
    }


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The fields of the result."""
    tightest = max(cases, key=lambda case: case["share"])
    failures = []
    for case in cases:
        name = f"{case['limits']}, usage {case['usage']}, fault rate {case['fault_rate']}"
        if case["spent"] > case["cap"] or case["spent_in_all"] > case["higher_cap"]:
            failures.append(f"{name}: the cap was passed")
        if (case["code"], case["code_resumed"]) != (4, 0):
            failures.append(f"{name}: exit codes {case['code']} and {case['code_resumed']}")
        if not case["same_turns"]:
            failures.append(f"{name}: other turns")
    return {
        "cap": tightest["cap"],
        "spent": tightest["spent"],
        "concurrency": CONCURRENCY,
        "most_at_once": max(case["most_at_once"] for case in cases),
        "tightest": tightest["limits"],
        "cases": list(cases),
        "failures": failures,
    }


def _number(value: Decimal) -> int | float:
    return int(value) if value == int(value) else float(value)


if __name__ == "__main__":
    raise SystemExit(main())
