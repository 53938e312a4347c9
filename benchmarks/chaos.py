"""A run against an endpoint that fails in every way, and runs against endpoints that refuse every call.

Faults: what came of the planned turns is held against the plan, and what was recorded against the server's own list of what it sent.
`recorded` counts planned turns that are there; `duplicated` turns and calls that are there twice; `invented` turns that nobody planned,
turns whose call is not there or is another user's, and answers that the server did not give to that very request, or
gave once and that stand twice. Every answer of the server begins with a digest of its request and a number of its own. The replay of
the record must give the same turns. A call may fail for good, where six attempts in a row meet faults: its turn is recorded as failed.

Refusals: a run must end with exit code 2 and what to do, having sent no more than what was under way at once (and
two more where it takes three rejected requests to see it).

The exit code is 1 if any of this does not hold.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from collections import Counter
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.testing.faults import ANSWERS, FINAL, TRANSIENT, Fault, seeded_faults
from agents.testing.openai_server import OpenAIServer
from benchmarks.recording import record
from benchmarks.served import Audience, CommandLine, asked, body_of, digest, repeated, whole_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.testing.openai_server import Sent
    from benchmarks.served import Ended

    Run = Callable[[Sequence[object]], Ended]

KINDS = (*TRANSIENT, *(kind for kind in ANSWERS if kind is not None), Fault.HANG)
LENGTHS = (5, 10)
_TIMEOUT = 5.0
_UNDER_WAY = 16


def main() -> int:
    """Run both parts; 1 if something was lost, doubled or invented, or a refusal did not end the run at once."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=170)
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--rate", type=float, default=0.3, help="share of requests that meet a fault")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument(
        "--quick", action="store_true", help="40 users, 2 rounds, one refusal of each kind of message"
    )
    chosen = options.parse_args()
    refusals: tuple[Fault | None, ...] = (*FINAL, None)
    if chosen.quick:
        chosen.users, chosen.rounds, refusals = 40, 2, (Fault.BAD_REQUEST, Fault.BAD_KEY)
    with tempfile.TemporaryDirectory() as folder:
        run = CommandLine(Path(folder) / "cache")
        fields = faulty(run, Path(folder), chosen.users, chosen.rounds, chosen.rate, chosen.seed)
        print(fields, file=sys.stderr, flush=True)
        fields["seed"] = chosen.seed
        fields["refusals"] = []
        for fault in refusals:
            fields["refusals"].append(refused(run, Path(folder) / f"refused-{fault}", fault))
            print(fields["refusals"][-1], file=sys.stderr, flush=True)
    fields["failures"] = failures(fields)
    quick = "-quick" if chosen.quick else ""
    record(f"chaos{quick}", fields, f"python -m benchmarks.chaos {' '.join(sys.argv[1:])}".strip())
    return 1 if fields["failures"] else 0


def faulty(run: Run, folder: Path, users: int, rounds: int, rate: float, seed: int) -> dict[str, Any]:
    """The fields of a run at this rate of faults, and of its replay."""
    audience = Audience()
    server = OpenAIServer(
        audience.answer,
        delay=0.02,
        faults=seeded_faults(rate, seed, KINDS),
        retry_after=0.1,
        fault_wait=0.5,
        refuse=audience.refuse,
    )
    out, again = folder / "run", folder / "replayed"
    size = {"users.count": users, "rounds": rounds, "users.timeout_s": _TIMEOUT}
    with server:
        ended = run(asked(server.base_url, out, size))
    if ended.code != 0:
        raise SystemExit(f"exit code {ended.code} where 0 was expected:\n{ended.err}")
    replayed = run(["--replay", out, "--out", again])
    turns, calls = whole_lines(out / "turns.jsonl"), whole_lines(out / "calls.jsonl")
    met = Counter(sent.fault for sent in server.sent)
    faults = {kind.name: met[kind] for kind in KINDS}
    return {
        **tally(turns, calls, server.sent, users, rounds),
        "fault_rate": round(sum(faults.values()) / len(server.sent), 4),
        "faults": faults,
        "attempts": {
            "journal": sum(len(call["attempts"]) for call in calls),
            "server": server.requests,
            "longest_call": max(len(call["attempts"]) for call in calls),
        },
        "failed_attempts": {"journal": _failed_attempts(calls), "server": _failures_sent(server.sent)},
        "statuses": dict(Counter(turn["status"] for turn in turns)),
        "replayed_alike": replayed.code == 0
        and (again / "turns.jsonl").read_bytes() == (out / "turns.jsonl").read_bytes(),
        "seconds": round(ended.seconds, 1),
    }


def tally(
    turns: Sequence[dict[str, Any]],
    calls: Sequence[dict[str, Any]],
    sent: Sequence[Sent],
    users: int,
    rounds: int,
) -> dict[str, int]:
    """What became of the turns of `users` in two arms over `rounds`, held against the plan and the server's account."""
    arms = {f"history-{length}" for length in LENGTHS}
    places = [
        (turn["arm"], turn["phase"], turn["replicate"], turn["round"], turn["user_id"]) for turn in turns
    ]
    population = sorted({turn["user_id"] for turn in turns})[:users]
    plan = {(arm, "test", 0, n + 1, user) for arm in arms for n in range(rounds) for user in population}
    texts = {_signature(each.text): each for each in sent if each.fault in ANSWERS}
    answered = [call for call in calls if call["completion"] is not None]
    by_key = {call["key"]: call for call in calls}
    invented = (
        len(set(places) - plan)
        + sum(not _is_of(turn, by_key.get(turn["request"])) for turn in turns)
        + len(by_key.keys() - {turn["request"] for turn in turns})
        + sum(not _was_sent(call, texts) for call in answered)
        + repeated([_signature(call["completion"]["text"]) for call in answered])
    )
    return {
        "planned": users * len(arms) * rounds,
        "recorded": len(set(places) & plan),
        "duplicated": repeated(places) + repeated([call["key"] for call in calls]),
        "invented": invented,
        "answers_recorded": len(answered),
    }


def _is_of(turn: dict[str, Any], call: dict[str, Any] | None) -> bool:
    """Whether a turn rests on a call of that user and round, and failed if and only if the call did."""
    if call is None:
        return False
    draw = {"user": turn["user_id"], "round": turn["round"], "replicate": turn["replicate"]}
    failed = call["completion"] is None
    return call["request"]["draw"] == draw and (turn["status"] == "failed") == failed


def _was_sent(call: dict[str, Any], texts: dict[str, Sent]) -> bool:
    """Whether the server gave this text to this very request."""
    text = call["completion"]["text"]
    sent = texts.get(_signature(text))
    body = body_of(call)
    return (
        sent is not None
        and sent.text == text
        and sent.received.body == body
        and _signature(text).endswith(digest(body))
    )


def _signature(text: str) -> str:
    return text.partition(".\n")[0]


def _failed_attempts(calls: Sequence[dict[str, Any]]) -> dict[str, int]:
    failed = [each for call in calls for each in call["attempts"] if each["error"] is not None]
    return _counted([each["status"] for each in failed])


def _failures_sent(sent: Sequence[Sent]) -> dict[str, int]:
    failed = [each.fault for each in sent if each.fault is not None and each.fault not in ANSWERS]
    # A body that is cut off or none came with a status, but is no answer: the journal has no status for it.
    return _counted([fault.status if fault.status >= 400 else None for fault in failed])


def _counted(statuses: Sequence[int | None]) -> dict[str, int]:
    return dict(sorted(Counter("none" if status is None else str(status) for status in statuses).items()))


def refused(run: Run, out: Path, fault: Fault | None) -> dict[str, Any]:
    """A run whose every request meets `fault`, or at whose address nobody listens; `seconds` from the first request on."""
    size = {"users.count": 40, "users.concurrency": _UNDER_WAY}
    with socket.socket() as deaf, OpenAIServer(faults=repeat(fault)) as server:
        deaf.bind(("127.0.0.1", 0))  # bound, not listening: whoever connects is refused
        nobody = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        ended = run(asked(nobody if fault is None else server.base_url, out, size))
    calls = whole_lines(out / "calls.jsonl")
    return {
        "case": "nobody listens" if fault is None else fault.value,
        "code": ended.code,
        "planned": 40 * len(LENGTHS),
        "requests": None if fault is None else server.requests,
        "calls": len(calls),
        "seconds": round(max((call["seconds"] for call in calls), default=0.0), 2),
        "message": ended.err[ended.err.rfind("error:") :].strip().replace(str(out), "DIR"),
    }


def failures(fields: dict[str, Any]) -> list[str]:
    """What does not hold."""
    wrong = []
    if fields["recorded"] != fields["planned"]:
        wrong.append("turns were lost")
    wrong += [f"{name} is not 0" for name in ("duplicated", "invented") if fields[name]]
    if fields["attempts"]["journal"] != fields["attempts"]["server"]:
        wrong.append("the journal has other attempts than the server")
    if not fields["replayed_alike"]:
        wrong.append("the replay gives other turns")
    for case in fields["refusals"]:
        if case["code"] != 2 or "--resume" not in case["message"]:
            wrong.append(f"{case['case']}: no end with exit code 2 and what to do")
        if (case["requests"] or 0) > _UNDER_WAY + 2:
            wrong.append(f"{case['case']}: not at once")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
