"""Ranking metrics per user, on lists of item numbers (Eq. 14-15; evaluation is over users with targets)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def ranking_metrics(
    hits: NDArray[np.bool_], targets: NDArray[np.int64], cutoffs: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """HR, NDCG and recall at each cut-off, and MRR, each (B,).

    `hits` (B, N) says whether the item at each place is a target, best first; `targets` (B,) how many targets
    the user has, all at least 1. HR@n is 1 if there is a hit among the first n. NDCG@n has binary gains and
    its ideal over min(n, number of targets). MRR looks at all N places.
    """
    if len(targets) and targets.min() < 1:
        raise ValueError("every user must have at least one target")
    width = hits.shape[1]
    discount = 1 / np.log2(np.arange(width) + 2)
    gains = np.cumsum(hits * discount, axis=1)
    count = np.cumsum(hits, axis=1)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(max(cutoffs)) + 2))])
    result: dict[str, NDArray[np.float64]] = {}
    for n in cutoffs:
        last = min(n, width) - 1
        result[f"hr@{n}"] = (count[:, last] > 0).astype(np.float64)
        result[f"ndcg@{n}"] = gains[:, last] / ideal[np.minimum(n, targets)]
        result[f"recall@{n}"] = count[:, last] / targets
    first = hits.argmax(axis=1)
    result["mrr"] = np.where(hits.any(axis=1), 1 / (first + 1), 0.0)
    return result
