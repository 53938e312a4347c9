"""Test metrics of each user, on whole and on shortened histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.data.dataset import DataError
from recommender.data.histories import Histories
from recommender.evaluation import Ranking, rank
from recommender.truncation import history_profile, known_for, truncated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recommender.models import Recommender
    from recommender.pipeline import Prepared


def metric_names(cutoffs: Sequence[int]) -> list[str]:
    """HR and NDCG at each cut-off."""
    return [f"{kind}@{n}" for n in cutoffs for kind in ("hr", "ndcg")]


def known_users(prepared: Prepared, lengths: Sequence[int]) -> NDArray[np.int64]:
    """Rows of the users that are served at every one of `lengths`; DataError where there are none."""
    users = known_for(prepared.split, max(lengths))
    if not len(users):
        raise DataError(
            f"{prepared.split.dataset.label}: no user has {max(lengths)} train interactions and held-out ones; lower "
            "cold_start.lengths"
        )
    return users


def measure(
    model: Recommender, prepared: Prepared, lengths: Sequence[int], cutoffs: Sequence[int]
) -> pd.DataFrame:
    """One row per (length, user id), and each metric: the test items of all users, ranked over the whole catalogue.

    Length is missing for whole histories, which are those of all users with test items; at each of `lengths` the newest so
    many interactions of the users of `known_users` are read. What anybody took is masked whole, however much of it is read.
    """
    split = prepared.split
    count = len(split.dataset.users)
    whole = split.history("test")
    seen = Histories.of(whole, count)
    tested = np.unique(split.test.user).astype(np.int64)
    served: list[tuple[int | None, NDArray[np.int64]]] = [(None, tested)]
    if lengths:
        known = known_users(prepared, lengths)
        served += [(length, known) for length in lengths]
    ids = split.dataset.users["user_id"].to_numpy()
    parts = []
    for length, users in served:
        history = Histories.of(truncated(whole, length), count)
        profile = history_profile(prepared.labels, split, whole, length)
        score, item = rank(model, users, history, profile, seen, max(cutoffs))
        metrics = Ranking(users, item, score).metrics(split.test, cutoffs)
        told = {"length": pd.array([length] * len(users), dtype="Int64"), "user": ids[users]}
        parts.append(pd.DataFrame({**told, **{name: metrics[name] for name in metric_names(cutoffs)}}))
    return pd.concat(parts, ignore_index=True)
