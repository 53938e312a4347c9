"""Arms against the reference: differences within users, since all arms have the same users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.measures.comparison import compare, corrected
from simulator.measures.findings import finding, study_told

if TYPE_CHECKING:
    import pandas as pd

    from simulator.measures.comparison import PairedComparison
    from simulator.scenario.declared import Declared


def compared(table: pd.DataFrame, declared: Declared, seed: int) -> dict[str, Any]:
    """What summary.json says of the arms, `against_reference` and `study`.

    `table` is that of `simulator.measures.per_user`: the unit is the user, rounds and replicates are averaged inside it.
    """
    found = against_reference(table, declared, seed)
    primary = {arm: lists[declared.list][declared.metric] for arm, lists in found.items()}
    users = min((each.users for each in primary.values() if each.users), default=0)
    return {
        "against_reference": {
            arm: {
                "reference": declared.references[arm],
                **{
                    name: {metric: _told(each) for metric, each in metrics.items()}
                    for name, metrics in lists.items()
                },
            }
            for arm, lists in found.items()
        },
        "study": {
            **study_told(declared, users),
            "findings": {arm: finding(arm, each, declared) for arm, each in primary.items()},
        },
    }


def against_reference(
    table: pd.DataFrame, declared: Declared, seed: int
) -> dict[str, dict[str, dict[str, PairedComparison]]]:
    """Arm -> list -> metric -> what the arm adds to its reference; of what one of them has not been asked for there is none.

    The primary comparisons of the family are corrected together. They are all there, if need be without a user: the family was
    declared with them, and is no smaller for what one of them was not asked for.
    """
    values = table.pivot_table(index="user_id", columns=["arm", "list"], values=list(declared.metrics))
    found: dict[str, dict[str, dict[str, PairedComparison]]] = {}
    for arm, reference in declared.references.items():
        found[arm] = {name: {} for name in declared.lists}
        for name in declared.lists:
            for metric in declared.metrics:
                keys = [(metric, arm, name), (metric, reference, name)]
                primary = (name, metric) == (declared.list, declared.metric)
                if all(key in values for key in keys):
                    pair = values[keys].dropna().to_numpy(dtype=np.float64)
                elif primary:
                    pair = np.empty((0, 2))
                else:
                    continue
                found[arm][name][metric] = compare(
                    pair[:, 0],
                    pair[:, 1],
                    seed,
                    hits=metric.startswith("hr@"),
                    effect=declared.smallest_effect if primary else None,
                    alpha=declared.alpha,
                    power=declared.power,
                )
    together = corrected([found[arm][declared.list][declared.metric] for arm in declared.family])
    for arm, each in zip(declared.family, together, strict=True):
        found[arm][declared.list][declared.metric] = each
    return found


def _told(each: PairedComparison) -> dict[str, Any]:
    # As the differences between lists are told, whose entries have the same four keys.
    return {"mean": each.difference, **each.as_dict()}
