"""python -m simulator.live: a scenario's rounds in the browser, played, paused and begun anew with other values."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.collision import exit_on_collision
from simulator.run import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE, INTERRUPTED = 2, 0
_NEEDED = ("solara", "uvicorn", "altair", "matplotlib")
"""By the page, or by the part of Mesa that draws it."""
_PORT = 8765


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.live",
        description="Train a scenario's recommender once, and play its rounds in the browser: step, play, pause, and begin anew with "
        "other values. Needs the extra: pip install 'screentest[live]'.",
        epilog="Answers of one view are kept until it ends and not asked for twice. Exit codes: 0 stopped by Ctrl-C; 2 usage, "
        "scenario or set-up error.",
    )
    options.add_argument("scenario", type=Path, help="scenario file, such as scenarios/cold_start.yaml")
    options.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the scenario, such as --set users.count=50; may be repeated",
    )
    options.add_argument(
        "--port", type=_port, default=_PORT, help=f"of 127.0.0.1 (default {_PORT}; 0 takes a free one)"
    )
    options.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="new folder for the trained recommender and the record of calls (default: a temporary one, removed at the end)",
    )
    options.add_argument(
        "--max-cost",
        type=dollars,
        metavar="USD",
        help="of all calls of all pages together; then no further call is made",
    )
    options.add_argument("--max-calls", type=_count, metavar="N", help="the same for answered calls")
    options.add_argument("--max-tokens", type=_count, metavar="N", help="the same for tokens, in and out")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted, and return the exit code."""
    options = parser().parse_args(arguments)
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        return _fail(
            f"error: the live view needs {', '.join(missing)}; install it with: pip install 'screentest[live]'"
        )
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Imported after the command line is read: a misspelt option need not wait for torch.
    from rich.console import Console

    from agents.llm import Caps
    from recommender.stages import Stages
    from simulator.experiment import MISTAKES
    from simulator.live.server import HOST, reserved, serve
    from simulator.live.session import opened
    from simulator.scenario import load
    from simulator.sending import Sending
    from simulator.study import check_arm

    sending = Sending(Caps(options.max_calls, options.max_tokens, options.max_cost))
    try:
        # Before anything is trained: a port that is taken shows at once.
        at = reserved(options.port)
    except OSError as error:
        return _fail(
            f"error: port {options.port} of {HOST}: {error.strerror}; take another, such as --port 0 for a free one"
        )
    # What a session made is removed at its end, whichever way it is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        scenario = load(options.scenario, options.overrides, check_arm)
        with at, opened(scenario, options.out, Stages(Console(stderr=True)), sending) as session:
            serve(session, at, _ready)
    except MISTAKES as mistake:
        return _fail("\n".join([f"error: {mistake}", *getattr(mistake, "__notes__", ())]))
    except KeyboardInterrupt:
        pass
    return INTERRUPTED


def _ready(address: str) -> None:
    print(f"live view: {address} (Ctrl-C ends it)", flush=True)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return USAGE


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
