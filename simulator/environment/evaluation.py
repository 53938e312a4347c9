"""What a policy earns with every user of the population, and how two policies differ with the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.intervals import Interval, bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from simulator.environment.play import Play, Step
    from simulator.environment.policies import Policy


@dataclass(frozen=True)
class Earned:
    """Of each user that comes to any round (U,), in the order of the data."""

    reward: NDArray[np.float64]
    """Mean of its steps: the share accepted of a shown list."""
    total: NDArray[np.float64]
    """Sum of its steps: the return, undiscounted."""
    steps: NDArray[np.float64]
    """Pages seen."""
    left: NDArray[np.float64]
    """1 where the user left for good before the rounds were over."""
    ndcg: NDArray[np.float64]
    """At the largest cutoff, against what is held out; mean of the steps that have it, not a number where none has."""

    def means(self, seed: int) -> dict[str, Interval]:
        """Mean over users and its 95 % interval (bootstrap, drawn from `seed`), by name."""
        return {
            name: bootstrap_interval(values[~np.isnan(values)], seed) for name, values in vars(self).items()
        }

    def less(self, other: Earned, seed: int) -> dict[str, Interval]:
        """The same of the difference to what another policy earned with the same users, paired."""
        differences = {name: values - vars(other)[name] for name, values in vars(self).items()}
        return {
            name: bootstrap_interval(values[~np.isnan(values)], seed) for name, values in differences.items()
        }


def earned(play: Play, policy: Policy, replicate: int = 0) -> Earned:
    """An episode with every user; all that are there are asked together. `play` tells metrics."""
    everybody = (play.screening.begin(user, replicate) for user in play.screening.viewers)
    episodes = [episode for episode in everybody if not episode.over]
    steps: list[list[Step]] = [[] for _ in episodes]
    going = list(range(len(episodes)))
    while going:
        seen = [play.spaces.observe(episodes[at]) for at in going]
        actions = policy({name: np.stack([each[name] for each in seen]) for name in seen[0]})
        for at, step in zip(
            going,
            play.step([(episodes[at], action) for at, action in zip(going, actions, strict=True)]),
            strict=True,
        ):
            steps[at].append(step)
        going = [at for at in going if not (steps[at][-1].terminated or steps[at][-1].truncated)]
    best = f"ndcg@{max(play.screening.scenario.cutoffs)}"
    return Earned(
        reward=np.array([np.mean([step.reward for step in each]) for each in steps]),
        total=np.array([sum(step.reward for step in each) for each in steps]),
        steps=np.array([len(each) for each in steps], dtype=np.float64),
        left=np.array([float(each[-1].info["left"]) for each in steps]),
        ndcg=np.array(
            [_mean(step.info["metrics"][best] for step in each if "metrics" in step.info) for each in steps]
        ),
    )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else float("nan")
