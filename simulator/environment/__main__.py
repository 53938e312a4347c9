"""python -m simulator.environment: what policies to compare with earn in the environment of a scenario."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.command_line import add_overrides

if TYPE_CHECKING:
    from collections.abc import Sequence


DONE, USAGE, INTERRUPTED = 0, 2, 130


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.environment",
        description="Play every user of a scenario once with the scenario's own recommender as the policy, trained now and then "
        "as it is, and with random slates.",
        epilog="Exit codes: 0 done; 2 usage or scenario error, or an endpoint that refuses every call; 130 interrupted.",
    )
    options.add_argument("scenario", type=Path, help="scenario file, such as scenarios/feedback_loop.yaml")
    add_overrides(options)
    options.add_argument("--arm", metavar="NAME", help="as turns.jsonl names it (default: the first)")
    options.add_argument(
        "--slate",
        choices=["proposed", "shown"],
        default="proposed",
        help="places of a slate: 2N proposed, of which N are shown (default), or N that are all shown",
    )
    options.add_argument(
        "--history-length",
        type=int,
        default=500,
        metavar="N",
        help="places of the observed history (default: 500)",
    )
    options.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the calls; needed by a language model"
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Play and return the exit code."""
    options = parser().parse_args(arguments)
    # Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from simulator.experiment import MISTAKES, Halt

    try:
        _play(options)
    except (*MISTAKES, Halt) as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _play(options: argparse.Namespace) -> None:
    from contextlib import closing

    from rich.console import Console
    from rich.table import Table

    from simulator.environment.evaluation import earned
    from simulator.environment.play import Play
    from simulator.environment.policies import RandomPolicy, RecommenderPolicy

    play = Play(
        options.scenario,
        {
            "overrides": options.overrides,
            "arm": options.arm,
            "slate": options.slate,
            "history_length": options.history_length,
            "metrics": True,
            "out": options.out,
        },
    )
    with closing(play.screening) as screening:
        size, seed = play.spaces.size, screening.scenario.seed
        one = earned(play, RecommenderPolicy.trained(screening, size))
        other = earned(play, RandomPolicy(size, seed))
    cutoff = max(screening.scenario.cutoffs)
    table = Table(
        title=f"{screening.arm}: {len(one.reward)} users, {screening.label}; mean, 95 % interval over users",
        caption=f"audience: {screening.client}",
    )
    for name in ("policy", "reward", "return", "pages", "left", f"NDCG@{cutoff}"):
        table.add_column(name)
    for name, means in (
        (screening.scenario.recommender.model, one.means(seed)),
        ("random", other.means(seed)),
        ("difference, paired", one.less(other, seed)),
    ):
        table.add_row(
            name,
            *(
                f"{each.mean:.3f}" + ("" if each.low is None else f" [{each.low:.3f}, {each.high:.3f}]")
                for each in means.values()
            ),
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    sys.exit(main())
