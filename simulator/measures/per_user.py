"""The table that metrics.json and per_user.parquet hold: which measures it has depends on where the slates come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.measures import fidelity, ranking

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from simulator.scenario import Scenario
    from simulator.transcript.turns import Turn


def per_user(turns: Iterable[Turn], scenario: Scenario) -> pd.DataFrame:
    """One row per (arm, list, user): HR and NDCG of proposed slates, agreement with real ratings of held-out ones."""
    if scenario.slates.source == "held_out":
        return fidelity.per_user(turns)
    return ranking.per_user(turns, scenario.cutoffs)
