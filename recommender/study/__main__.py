"""python -m recommender.study SCENARIO: train and test several recommenders side by side, and draw what is found."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.command_line import add_overrides, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

_RUNS = Path("runs")


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m recommender.study",
        description="Train the recommenders that a scenario's arms or sweep name, test them on the same users, and write "
        "results.json, per_user.parquet, table.md and figure.svg, .png and .json.",
        epilog="Exit codes: 0 done; 2 usage, scenario or data error; 130 interrupted.",
    )
    begin = options.add_mutually_exclusive_group(required=True)
    begin.add_argument("scenario", nargs="?", type=Path, help="study, such as scenarios/interests.yaml")
    begin.add_argument(
        "--resume", type=Path, metavar="DIR", help="go on with a study: what is trained is not trained again"
    )
    options.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to make (default: runs/NAME-TIME-ID)"
    )
    options.add_argument(
        "--jobs",
        type=_positive,
        default=1,
        metavar="N",
        help="trainings at a time, each a process with data of its own in memory (default: 1); give each few threads, such as "
        "OMP_NUM_THREADS=1. It changes no result on a CPU",
    )
    add_overrides(options)
    options.add_argument(
        "--json",
        action="store_true",
        help="print path and contents of results.json on standard output, all else on standard error",
    )
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study and return the exit code."""
    options = parser().parse_args(arguments)
    if options.resume and options.out:
        parser().error("--resume goes on in its own folder; leave --out out")
    return run_command(
        lambda: _study(options),
        "interrupted; what is trained is kept, the rest can be gone on with: --resume DIR",
    )


def _study(options: argparse.Namespace) -> None:
    from recommender.stages import Stages, plain_console
    from recommender.study.arms import expand
    from recommender.study.directory import StudyDirectory
    from recommender.study.figure import write_figure
    from recommender.study.results import summarise
    from recommender.study.running import seeds, train_arms
    from recommender.study.table import markdown
    from recommender.trained_directory import read_json, require_begun, write_json
    from scenarios.reading import dump, read_document

    resumed = StudyDirectory(require_begun(options.resume)) if options.resume else None
    study, arms = expand(read_document(resumed.scenario if resumed else options.scenario, options.overrides))
    console = plain_console(stderr=True)
    if study.model_extra:
        console.print(f"not read here: {', '.join(study.model_extra)}", highlight=False)
    stages = Stages(console)
    directory = resumed or StudyDirectory.create(options.out, _RUNS, study.name)
    console.print(f"folder: {directory.path}", highlight=False, soft_wrap=True)
    if resumed is None:
        directory.scenario.write_text(dump(study), encoding="utf-8")
    table = train_arms(study, arms, directory, stages, options.jobs)
    # What a resumed study was changed to is its scenario once that has been found to fit what is there.
    directory.scenario.write_text(dump(study), encoding="utf-8")
    with stages.stage("intervals"):
        table.to_parquet(directory.per_user, index=False)
        results = summarise(study, arms, directory, table)
    with stages.stage("figure"):
        write_figure(results, directory)
    text = markdown(results)
    directory.table.write_text(text, encoding="utf-8")
    seconds = {
        arm.name: {str(seed): read_json(directory.replicate(arm, seed).timings) for seed in seeds(study)}
        for arm in arms
    }
    write_json(directory.timings, seconds)
    write_json(directory.results, results)
    print(text, file=sys.stderr)
    if options.json:
        print(json.dumps({"path": str(directory.results), "results": results}, ensure_ascii=False))
    else:
        print(directory.path)


if __name__ == "__main__":
    sys.exit(main())
