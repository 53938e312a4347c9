"""Arms against the reference: differences within users, since all arms have the same users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.intervals import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd


def against_reference(
    table: pd.DataFrame,
    references: Mapping[str, str],
    lists: Sequence[str],
    metrics: Sequence[str],
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Arm -> "reference", and by list metric -> mean, low, high, users: what the arm adds to its reference.

    `table` is that of `simulator.measures.per_user`: the unit is the user, rounds and replicates are averaged inside it.
    `references` names for each arm, as recorded, the one that it is compared with.
    """
    values = table.pivot_table(index="user_id", columns=["arm", "list"], values=list(metrics))
    found: dict[str, dict[str, Any]] = {}
    for arm, reference in references.items():
        entry: dict[str, Any] = {"reference": reference}
        for name in lists:
            entry[name] = {}
            for metric in metrics:
                if (metric, arm, name) not in values or (metric, reference, name) not in values:
                    continue  # what one of them was not asked for is not compared
                difference = (values[metric, arm, name] - values[metric, reference, name]).dropna()
                interval = bootstrap_interval(difference.to_numpy(dtype=np.float64), seed)
                entry[name][metric] = {**interval._asdict(), "users": len(difference)}
        found[arm] = entry
    return found
