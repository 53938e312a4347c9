"""A replay in a process that has no network: what `benchmarks.replay` measures.

`python -m benchmarks.offline_replay RUN OUT [--parts]`. Any way to a socket is counted and refused: by an audit hook, which CPython
tells of every `socket.*` event (creating, connecting, binding, looking names up) and which cannot be taken out again, and because
`socket.socket` is replaced by a function that raises. The last line of standard output is a JSON object: `seconds` and `cpu_seconds` from opening the
journal to the last byte of turns.jsonl, `sockets_opened`, and with `--parts` the seconds in each part (which makes the whole slower).
"""

from __future__ import annotations

import functools
import json
import socket
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.embedded.client import EmbeddedClient
from agents.llm import gateway
from agents.user import UserAgent
from simulator import experiment, outcome, refinement, run
from simulator.proposing import RecordedProposer
from simulator.transcript.journal import CallJournal
from simulator.transcript.turns import TurnWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_seconds: dict[str, float] = defaultdict(float)
_opened: list[str] = []


def main(arguments: Sequence[str]) -> int:
    """Replay and print what it took."""
    recorded, out, *options = arguments
    sys.addaudithook(_refuse)
    socket.socket = _no_socket  # type: ignore[assignment, misc]
    began = _Clock()
    leave = TurnWriter.__exit__

    def left(*args: Any) -> None:
        leave(*args)
        began.stop()

    TurnWriter.__exit__ = left  # type: ignore[method-assign]
    experiment.CallJournal = began.starting(CallJournal)  # type: ignore[misc]
    if "--parts" in options:
        _time_parts()
    code = run.main(["--replay", recorded, "--out", out, "--json", "--no-report"])
    whole = {"seconds": began.seconds, "cpu_seconds": began.cpu_seconds, "sockets_opened": len(_opened)}
    summary = json.loads((Path(out) / "summary.json").read_bytes())
    print(json.dumps({**whole, "stages": summary["seconds"], "parts": dict(_seconds)}))
    return code


class _Clock:
    """Time from the opening of the journal to the end of the turns."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._began = (0.0, 0.0)

    def starting(self, made: Callable[..., Any]) -> Callable[..., Any]:
        """`made`, starting the clock when called."""

        def make(*args: Any, **named: Any) -> Any:
            self._began = time.perf_counter(), time.process_time()
            return made(*args, **named)

        return make

    def stop(self) -> None:
        self.seconds = time.perf_counter() - self._began[0]
        self.cpu_seconds = time.process_time() - self._began[1]


def _refuse(event: str, _: tuple[Any, ...]) -> None:
    if event.startswith("socket."):
        _opened.append(event)
        raise OSError(f"{event}: a replay needs no network")


def _no_socket(*_: Any, **__: Any) -> None:
    _opened.append("socket.socket")
    raise OSError("a replay needs no network")


def _time_parts() -> None:
    """Put a clock around each part of a turn."""
    _timed(CallJournal, "_load", "journal: reading and checking")
    _timed(CallJournal, "get", "journal: records")
    _timed(RecordedProposer, "__init__", "proposals: reading and checking")
    _timed(UserAgent, "observe", "prompts")
    _timed(gateway, "request_key", "keys")
    _timed(UserAgent, "decide", "replies: parsing")
    _timed(EmbeddedClient, "verdict", "null users")
    _timed(refinement.Fuse, "refine", "refining")
    _timed(TurnWriter, "write", "turns: writing")
    _timed(outcome, "per_user", "metrics")
    _timed(outcome, "summarise", "metrics")
    _timed(outcome, "paired_differences", "metrics")


def _timed(owner: Any, name: str, part: str) -> None:
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def call(*args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return inner(*args, **named)
        finally:
            _seconds[part] += time.perf_counter() - began

    setattr(owner, name, call)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
