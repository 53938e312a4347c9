"""Which interactions an experiment keeps: positives, then the k-core; and how many each step leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.data.dataset import Dataset, Interactions


@dataclass(frozen=True)
class Counts:
    """Size of the data after one step, as in the paper's Table I."""

    step: str
    users: int
    """Those with an interaction."""
    items: int
    """Those with an interaction."""
    interactions: int

    @property
    def per_user(self) -> float:
        """Mean interactions of a user; NaN without users."""
        return self.interactions / self.users if self.users else float("nan")

    @property
    def per_item(self) -> float:
        """Mean interactions of an item; NaN without items."""
        return self.interactions / self.items if self.items else float("nan")

    @property
    def density(self) -> float:
        """Share of all pairs of user and item that interacted, 0 to 1; NaN where there are no pairs."""
        pairs = self.users * self.items
        return self.interactions / pairs if pairs else float("nan")


def counts(step: str, inter: Interactions, keep: NDArray[np.bool_] | None = None) -> Counts:
    """Size of `inter`, or of its rows where `keep` is True."""
    user, item = (inter.user, inter.item) if keep is None else (inter.user[keep], inter.item[keep])
    return Counts(step, _distinct(user), _distinct(item), len(user))


def filtered(dataset: Dataset, min_rating: float, core: int) -> tuple[Dataset, tuple[Counts, ...]]:
    """Positives (rating >= `min_rating` or none), then their `core`-core, renumbered; and the size at each step.

    An interaction without a rating (NaN) is a positive: a purchase says what was chosen, not how it was liked.
    Raises DataError where a user has two interactions with one item (one could be in train, the other a target)
    and where nothing is left.
    """
    _require_distinct_pairs(dataset)
    inter = dataset.interactions
    unrated = np.isnan(inter.rating)
    keep = unrated | (inter.rating >= min_rating)
    positive = f"rating >= {min_rating:g}{' or none' if unrated.any() else ''}"
    steps = [counts("read", inter), counts(positive, inter, keep)]
    keep = core_mask(inter, core, keep)
    steps.append(counts(f"{core}-core", inter, keep))
    if not keep.any():
        raise DataError(
            f"{dataset.name}: no interaction is left after rating >= {min_rating:g} and the {core}-core; "
            "lower data.min_rating or data.core"
        )
    return _only(dataset, keep), tuple(steps)


def k_core(dataset: Dataset, k: int) -> Dataset:
    """Drop users and items with fewer than `k` interactions until none is left to drop; the rest is renumbered."""
    return _only(dataset, core_mask(dataset.interactions, k))


def core_mask(inter: Interactions, k: int, within: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """(n,) True for the rows of the k-core of `inter`, or of its rows where `within` (n,) is True.

    The largest set of rows in which every user and every item has at least `k`. Each pass reads the columns once
    and copies none.
    """
    keep = np.ones(len(inter), dtype=bool) if within is None else within.copy()
    per_user, per_item = np.bincount(inter.user[keep]), np.bincount(inter.item[keep])
    while True:
        weak_user, weak_item = _weak(per_user, k), _weak(per_item, k)
        if not weak_user.any() and not weak_item.any():
            return keep
        # A row outside of `within` may name a number beyond the largest one inside.
        gone = weak_user.take(inter.user, mode="clip")
        gone |= weak_item.take(inter.item, mode="clip")
        gone &= keep
        keep ^= gone
        per_user -= np.bincount(inter.user[gone], minlength=len(per_user))
        per_item -= np.bincount(inter.item[gone], minlength=len(per_item))


def _distinct(numbers: NDArray[np.int32]) -> int:
    return int(np.count_nonzero(np.bincount(numbers)))


def _weak(degree: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    return (degree > 0) & (degree < k)


def _only(dataset: Dataset, keep: NDArray[np.bool_]) -> Dataset:
    if not keep.all():
        dataset = dataset.with_interactions(dataset.interactions.take(keep))
    return dataset.compact()


def _require_distinct_pairs(dataset: Dataset) -> None:
    pairs = dataset.interactions.user.astype(np.int64)
    pairs *= len(dataset.items)
    pairs += dataset.interactions.item
    pairs.sort()
    if repeats := np.count_nonzero(pairs[1:] == pairs[:-1]):
        raise DataError(
            f"{dataset.name}: {repeats} interactions repeat a pair of user and item; keep one of each pair"
        )
