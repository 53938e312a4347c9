"""Arms against the reference: differences within users, since all arms have the same users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.intervals import bootstrap_interval
from simulator.measures.ranking import ALONE, REFINED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_LISTS = (REFINED, ALONE)


def against_reference(
    table: pd.DataFrame, references: Mapping[str, str], cutoff: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Arm -> "reference", and by list metric@cutoff -> mean, low, high, users: what the arm adds to its reference.

    `table` is that of `simulator.measures.ranking.per_user`: the unit is the user, rounds and replicates are averaged inside it.
    `references` names for each arm, as recorded, the one that it is compared with.
    """
    metrics = [f"{kind}@{cutoff}" for kind in ("hr", "ndcg")]
    values = table.pivot_table(index="user_id", columns=["arm", "list"], values=metrics)
    found: dict[str, dict[str, Any]] = {}
    for arm, reference in references.items():
        entry: dict[str, Any] = {"reference": reference}
        for name in _LISTS:
            entry[name] = {}
            for metric in metrics:
                difference = (values[metric, arm, name] - values[metric, reference, name]).dropna()
                interval = bootstrap_interval(difference.to_numpy(dtype=np.float64), seed)
                entry[name][metric] = {**interval._asdict(), "users": len(difference)}
        found[arm] = entry
    return found
