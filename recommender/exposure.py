"""What of the catalogue a ranking shows: coverage, Gini, novelty, popularity lift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recommender.data.histories import Histories
    from recommender.evaluation import Ranking


def exposure(ranking: Ranking, train: Histories, items: int, cutoffs: Sequence[int]) -> dict[str, float]:
    """Of the first n places of all users together, at each cut-off n.

    coverage@n: share of the `items` shown to anybody. gini@n: inequality of how often items are shown, 0 where all are
    equally often, near 1 where a few are always. novelty@n: mean bits -log2 of a shown item's share of the train
    interactions (add one). popularity_lift@n: mean train interactions of a shown item over those of the items in the same
    users' train histories; 1 is what they chose themselves. NaN where there is nothing to divide by.
    """
    count = np.bincount(train.item.cpu().numpy(), minlength=items)
    bits = -np.log2((count + 1) / (count + 1).sum())
    taken = _mean_popularity(train, count)[ranking.user]
    result: dict[str, float] = {}
    for n in cutoffs:
        shown, item = ranking.shown[:, :n], ranking.item[:, :n]
        times = np.bincount(item[shown], minlength=items)
        result[f"coverage@{n}"] = float((times > 0).mean())
        result[f"gini@{n}"] = gini(times)
        result[f"novelty@{n}"] = float(bits[item[shown]].mean())
        places = shown.sum(1)
        both = (places > 0) & ~np.isnan(taken)
        of_shown = np.where(shown, count[item], 0).sum(1)[both] / places[both]
        whole = taken[both].sum()
        result[f"popularity_lift@{n}"] = float(of_shown.sum() / whole) if whole else float("nan")
    return result


def _mean_popularity(train: Histories, count: NDArray[np.int64]) -> NDArray[np.float64]:
    """(U,) of the items in each user's train history; NaN where it is empty."""
    size = train.sizes().cpu().numpy()
    total = np.bincount(
        train.users().cpu().numpy(), count[train.item.cpu().numpy()].astype(np.float64), minlength=len(size)
    )
    mean: NDArray[np.float64] = np.divide(total, size, out=np.full(len(size), np.nan), where=size > 0)
    return mean


def gini(times: NDArray[np.int64]) -> float:
    """Inequality of counts (I,): 0 where all are equal, near 1 where a few have everything; 0 where all are 0."""
    ordered = np.sort(times)
    n, total = len(ordered), ordered.sum()
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * total) - (n + 1) / n) if total else 0.0
