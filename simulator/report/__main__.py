"""python -m simulator.report: the page of a finished run, and its figures and tables as files for a paper."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.collision import exit_on_collision

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, USAGE, INTERRUPTED = 0, 2, 130


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.report",
        description="Write report.html of a finished run, a page that opens from the disk.",
        epilog="Exit codes: 0 done; 2 usage, or no finished run; 130 interrupted.",
    )
    options.add_argument("run", type=Path, metavar="DIR", help="run directory")
    options.add_argument(
        "--figures",
        type=Path,
        metavar="FOLDER",
        help="also write each figure as SVG, PNG, PDF and Vega-Lite, and each table as Markdown, LaTeX and Parquet",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Write and return the exit code."""
    options = parser().parse_args(arguments)
    # Imported after the command line is read: a misspelt option need not wait.
    from recommender.trained_directory import DirectoryError
    from simulator.report.html.page import write_figures, write_page
    from simulator.scenario import ScenarioError
    from simulator.transcript.journal import JournalError
    from simulator.transcript.turns import TranscriptError

    try:
        print(f"report: {write_page(options.run)}")
        if options.figures is not None:
            for file in write_figures(options.run, options.figures):
                print(file)
    except (DirectoryError, JournalError, ScenarioError, TranscriptError) as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except OSError as error:
        where = error.filename or options.run
        print(f"error: {where}: cannot be written ({error.strerror or error})", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return DONE


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
