"""python -m recommender.evaluate DIR: full-ranking metrics of a trained recommender."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.command_line import add_overrides, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m recommender.evaluate",
        description="Rank the whole catalogue for every user with held-out items, what they have masked.",
    )
    options.add_argument("directory", type=Path, metavar="DIR", help="what recommender.train, or a run, left")
    options.add_argument("--phase", choices=["validation", "test"], default="test")
    options.add_argument("--cutoffs", type=_cutoff, nargs="+", default=[10, 50], metavar="N")
    add_overrides(options)
    options.add_argument("--json", action="store_true", help="print the metrics as JSON")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate and return the exit code."""
    options = parser().parse_args(arguments)
    return run_command(lambda: _evaluate(options))


def _cutoff(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number of at least 1")
    return int(text)


def _evaluate(options: argparse.Namespace) -> None:
    from recommender.evaluation import rank_targets
    from recommender.exposure import exposure
    from recommender.pipeline import reopen
    from recommender.trained_directory import TrainedDirectory

    trained = reopen(TrainedDirectory(options.directory), options.overrides)
    prepared, split = trained.prepared, trained.prepared.split
    targets, served = split.targets(options.phase), prepared.served(options.phase)
    cutoffs = sorted(set(options.cutoffs))
    ranking = rank_targets(trained.model, served, prepared.profile, targets, max(cutoffs))
    means = {name: float(value.mean()) for name, value in ranking.metrics(targets, cutoffs).items()}
    means |= exposure(ranking, prepared.train, len(split.dataset.items), cutoffs)
    if options.json:
        told: dict[str, Any] = {
            "data": split.dataset.label,
            "model": trained.setup.recommender.model,
            "phase": options.phase,
            "users": len(ranking.user),
            "metrics": means,
        }
        print(json.dumps(told, ensure_ascii=False))
        return
    print(
        f"{trained.setup.recommender.model} on {split.dataset.label}, {options.phase}: {len(ranking.user)} users"
    )
    print(" " * 16 + "".join(f"{'@' + str(n):>10}" for n in cutoffs))
    for kind in dict.fromkeys(name.partition("@")[0] for name in means if "@" in name):
        print(f"{kind:<16}" + "".join(f"{means[f'{kind}@{n}']:>10.4f}" for n in cutoffs))
    print(f"{'mrr':<16}{means['mrr']:>10.4f}   (over {max(cutoffs)} places)")


if __name__ == "__main__":
    sys.exit(main())
