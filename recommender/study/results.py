"""Means over users, paired differences to the first arm, and how the trainings went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.data.dataset import DataError
from recommender.intervals import bootstrap_interval, mean_interval
from recommender.study.measuring import metric_names
from recommender.study.running import seeds
from recommender.trained_directory import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from recommender.configuration import Study
    from recommender.study.arms import Arm
    from recommender.study.directory import StudyDirectory

WHOLE = "all"
"""The length of a history that is not shortened."""


def summarise(
    study: Study, arms: Sequence[Arm], directory: StudyDirectory, table: pd.DataFrame
) -> dict[str, Any]:
    """results.json, from the rows of `train_arms` and what each training left.

    All numbers of a comparison are over the same users: those that every arm was tested on. The unit is the user; seeds are
    averaged inside it. Intervals are those of `recommender.intervals`, drawn from the scenario's seed.
    """
    whole = table[table["length"].isna()]
    names = [arm.name for arm in arms]
    tested = _compare(whole, names, study)
    by_length: dict[str, Any] = {}
    for length in study.lengths:
        by_length[str(length)] = _compare(table[table["length"] == length], names, study)
    if study.lengths:
        known = set(table.loc[table["length"] == study.lengths[0], "user"])
        by_length[WHOLE] = _compare(whole[whole["user"].isin(known)], names, study)
    trainings = {arm.name: _trainings(study, arm, directory) for arm in arms}
    labels = [read_json(directory.replicate(arm, study.seed).training)["data"] for arm in arms]
    return {
        "name": study.name,
        "data": ", ".join(dict.fromkeys(labels)),
        "protocol": f"full ranking, split {study.data.split}, what a user has is masked; trained to the best validation NDCG@10",
        "seeds": list(seeds(study)),
        "cutoffs": list(study.cutoffs),
        "reference": names[0],
        "swept": _swept(study, arms),
        "arms": {
            arm.name: {
                "model": arm.setup.recommender.model,
                "changes": dict(arm.changes),
                "trainings": trainings[arm.name],
            }
            for arm in arms
        },
        "test": tested,
        "test_by_length": by_length,
    }


def _compare(rows: pd.DataFrame, arms: list[str], study: Study) -> dict[str, Any]:
    """Users, and by arm each metric's mean with its interval and the paired difference to the first arm's."""
    metrics = metric_names(study.cutoffs)
    # A mean over seeds first; where data differ from arm to arm, only users that all of them have are left.
    means = rows.pivot_table(index="user", columns="arm", values=metrics, aggfunc="mean").dropna()
    if means.empty:
        raise DataError("the data of the arms have no user in common that all could be tested on")
    column: dict[tuple[str, str], NDArray[np.float64]] = {
        (name, arm): means[name, arm].to_numpy(dtype=np.float64) for name in metrics for arm in arms
    }
    first = arms[0]
    return {
        "users": len(means),
        "arms": {
            arm: {
                "metrics": {name: mean_interval(column[name, arm], study.seed)._asdict() for name in metrics},
                "difference": {
                    name: bootstrap_interval(column[name, arm] - column[name, first], study.seed)._asdict()
                    for name in metrics
                },
            }
            for arm in arms
        },
    }


def _trainings(study: Study, arm: Arm, directory: StudyDirectory) -> dict[str, Any]:
    """By seed: epochs, the best of them, and whether training might have gone on."""
    limit = arm.setup.recommender.training.max_epochs
    result = {}
    for seed in seeds(study):
        told = read_json(directory.replicate(arm, seed).training)
        result[str(seed)] = {
            "validation_ndcg@10": told["ndcg"],
            "epochs": len(told["epochs"]),
            "best_epoch": told["best"],
            "cut_short": told["best"] == limit,
        }
    return result


def _swept(study: Study, arms: Sequence[Arm]) -> dict[str, Any] | None:
    """The key of a sweep over one number, and each arm's value of it; None for everything else."""
    if study.sweep is None or len(study.sweep) != 1:
        return None
    key = next(iter(study.sweep))
    values = {arm.name: arm.changes[key] for arm in arms}
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values())
    return {"key": key, "values": values} if numbers else None
