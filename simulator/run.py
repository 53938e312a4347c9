"""python -m simulator.run SCENARIO: the command line; no logic."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.collision import exit_on_collision

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETE, USAGE, TOO_MANY_FAILURES, REPLAY_MISS, INTERRUPTED = 0, 2, 3, 5, 130


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.run",
        description="Put a recommender in front of a simulated audience and measure what the audience changes.",
        epilog="Exit codes: 0 complete; 2 usage or scenario error; 3 complete with more failures than tolerated; "
        "5 replay miss; 130 interrupted.",
    )
    options.add_argument(
        "scenario",
        nargs="?",
        type=Path,
        help="scenario file, such as scenarios/cold_start.yaml; optional with --replay",
    )
    options.add_argument(
        "--out", type=Path, metavar="DIR", help="run directory to make (default: runs/NAME-TIME-ID)"
    )
    options.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the scenario, such as --set users.count=50; may be repeated",
    )
    options.add_argument(
        "--replay",
        type=Path,
        metavar="DIR",
        help="answer from the record of a finished run: no client, no key, no network",
    )
    options.add_argument(
        "--json",
        action="store_true",
        help="print path and contents of metrics.json on standard output, all else on standard error",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and return the exit code."""
    options = parser().parse_args(arguments)
    if options.scenario is None and options.replay is None:
        parser().error("a scenario file is needed, such as scenarios/cold_start.yaml (or --replay DIR)")
    # Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Imported after the command line is read: a misspelt option need not wait for torch.
    from rich.console import Console

    from recommender.stages import Stages
    from simulator.experiment import MISTAKES, ReplayMiss, run
    from simulator.report.terminal import show
    from simulator.scenario import load

    errors = Console(stderr=True)
    try:
        scenario = load(options.scenario or options.replay / "scenario.yaml", options.overrides)
        outcome = run(scenario, options.out, options.replay, Stages(errors))
    except ReplayMiss as miss:
        return _fail(f"replay miss: {miss}", REPLAY_MISS)
    except MISTAKES as mistake:
        return _fail(f"error: {mistake}", USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted; every finished call is kept in the run directory", INTERRUPTED)
    show(errors if options.json else Console(), outcome.summary, outcome.metrics, scenario.cutoffs)
    where = f"run directory: {outcome.directory.path}"
    if options.json:
        print(where, file=sys.stderr)
        print(
            json.dumps(
                {"path": str(outcome.directory.metrics), "metrics": outcome.metrics}, ensure_ascii=False
            )
        )
    else:
        print(where)
    if outcome.failed_share > scenario.tolerance.failed:
        return _fail(
            f"{outcome.failed_share:.1%} of the turns brought no usable answer, more than tolerance.failed allows "
            f"({scenario.tolerance.failed:.1%}); they count with the recommender's own list",
            TOO_MANY_FAILURES,
        )
    return COMPLETE


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
