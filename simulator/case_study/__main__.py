"""python -m simulator.case_study: the command line; no logic."""

from __future__ import annotations

import argparse
import os
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
        prog="python -m simulator.case_study",
        description="Tell of two users of a finished run, as the paper's Fig. 5 to 7 do: the profile weights of their interests, the "
        "history and the candidates of each interest, and the dialogue with the simulated user. The run's recommender has to be UiM.",
        epilog="Written: case_study.md, case_study.json and each figure as SVG, PNG and Vega-Lite. Exit codes: 0 done; 2 usage, or a "
        "run without what is shown; 130 interrupted.",
    )
    options.add_argument("run", type=Path, metavar="DIR", help="directory of a finished run")
    options.add_argument(
        "--users",
        nargs=2,
        metavar="ID",
        help="whom, by the ids that the data have (default: the two whose profile weights are farthest apart)",
    )
    options.add_argument(
        "--arm", metavar="NAME", help="as turns.jsonl names it, such as history-30 (default: the run's first)"
    )
    options.add_argument("--out", type=Path, metavar="FOLDER", help="of all files (default: DIR/case_study)")
    options.add_argument("--figures", type=Path, metavar="FOLDER", help="of the figures (default: as --out)")
    options.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the run's scenario that changes nothing asked, such as --set data.path=...",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Write and return the exit code."""
    options = parser().parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Imported after the command line is read: a misspelt option need not wait for torch.
    from simulator.case_study.document import write_case_study
    from simulator.case_study.reading import Asked, CaseStudyError, case_study
    from simulator.experiment import MISTAKES

    folder = options.out or options.run / "case_study"
    users = None if options.users is None else (options.users[0], options.users[1])
    try:
        study = case_study(options.run, Asked(users, options.arm, tuple(options.overrides)))
        written = write_case_study(study, folder, options.figures or folder)
    except (CaseStudyError, *MISTAKES) as mistake:
        return _fail(f"error: {mistake}", USAGE)
    except OSError as error:
        return _fail(
            f"error: {error.filename or folder}: cannot be written ({error.strerror or error})", USAGE
        )
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    for file in written:
        print(file)
    return DONE


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
