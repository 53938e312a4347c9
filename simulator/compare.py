"""python -m simulator.compare: finished runs against the first of them, user by user."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.collision import exit_on_collision

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETE, USAGE, INTERRUPTED = 0, 2, 130


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.compare",
        description="Compare finished runs within users: the first arm of the first run with every other. A run alone is compared as its "
        "scenario declared.",
        epilog="Exit codes: 0 done; 2 usage, or runs that cannot be compared; 130 interrupted.",
    )
    options.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="run directory")
    options.add_argument(
        "--primary",
        metavar="METRIC",
        help="the metric that is tested, such as ndcg@10 (default: NDCG at the largest cutoff that all have)",
    )
    options.add_argument(
        "--json",
        action="store_true",
        help="print the comparison as JSON on standard output, all else on standard error",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and return the exit code."""
    options = parser().parse_args(arguments)
    # Imported after the command line is read: a misspelt option need not wait.
    from recommender.stages import plain_console
    from recommender.trained_directory import DirectoryError
    from simulator.finished_runs import MismatchError, compare_runs
    from simulator.report.terminal import show_comparison
    from simulator.scenario import ScenarioError
    from simulator.transcript.turns import TranscriptError

    try:
        found = compare_runs(options.runs, options.primary)
    except (DirectoryError, MismatchError, ScenarioError, TranscriptError) as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    for note in found["notes"]:
        print(f"note: {note}", file=sys.stderr if options.json else sys.stdout)
    show_comparison(plain_console(stderr=options.json), found)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    return COMPLETE


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
