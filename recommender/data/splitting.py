"""From ratings to the tables an experiment starts from: positives, k-core, temporal split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.data.dataset import DataError, Dataset, Interactions

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Counts:
    """Size of the data after one step, as in the paper's Table I."""

    step: str
    users: int
    items: int
    interactions: int


@dataclass(frozen=True)
class Split:
    """A dataset and its interactions divided in time; every part is sorted by user, then time."""

    dataset: Dataset
    train: Interactions
    validation: Interactions
    test: Interactions
    steps: tuple[Counts, ...]

    def history(self, phase: str) -> Interactions:
        """What is known at serving: train at "validation", train + validation at "test"."""
        if phase == "validation":
            return self.train
        return concatenate(self.train, self.validation)

    def targets(self, phase: str) -> Interactions:
        """The held-out positives of "validation" or "test"."""
        return self.validation if phase == "validation" else self.test


def concatenate(first: Interactions, second: Interactions) -> Interactions:
    """Both tables by user; within a user all of `first` comes before `second`."""
    merged = Interactions(
        np.concatenate([first.user, second.user]),
        np.concatenate([first.item, second.item]),
        np.concatenate([first.rating, second.rating]),
        np.concatenate([first.time, second.time]),
    )
    return merged.take(np.argsort(merged.user, kind="stable"))


def prepare(dataset: Dataset, min_rating: float = 3, core: int = 5) -> Split:
    """Positives (rating >= `min_rating`), iterative `core`-core, then the temporal 8:1:1 split.

    An interaction without a rating (NaN) is a positive: a purchase says what was chosen, not how it was liked.
    Raises DataError where a user has two interactions with one item (one could be in train, the other a target)
    and where nothing is left.
    """
    steps = [_counts("read", dataset)]
    inter = dataset.interactions
    pairs = np.sort(inter.user.astype(np.int64) * len(dataset.items) + inter.item)
    if repeats := int((np.diff(pairs) == 0).sum()):
        raise DataError(
            f"{dataset.name}: {repeats} interactions repeat a pair of user and item; keep one of each pair"
        )
    unrated = np.isnan(inter.rating)
    positive = dataset.with_interactions(inter.take(unrated | (inter.rating >= min_rating)))
    steps.append(_counts(f"rating >= {min_rating:g}{' or none' if unrated.any() else ''}", positive))
    kept = k_core(positive, core)
    steps.append(_counts(f"{core}-core", kept))
    if not len(kept.interactions):
        raise DataError(
            f"{dataset.name}: no interaction is left after rating >= {min_rating:g} and the {core}-core; "
            "lower data.min_rating or data.core"
        )
    return temporal_split(kept, steps=tuple(steps))


def k_core(dataset: Dataset, k: int) -> Dataset:
    """Drop users and items with fewer than `k` interactions until none is left to drop."""
    inter = dataset.interactions
    while len(inter):
        per_user = np.bincount(inter.user)
        per_item = np.bincount(inter.item)
        keep = (per_user[inter.user] >= k) & (per_item[inter.item] >= k)
        if keep.all():
            break
        inter = inter.take(keep)
    return dataset.with_interactions(inter).compact()


def temporal_split(
    dataset: Dataset, ratio: tuple[int, int, int] = (8, 1, 1), steps: tuple[Counts, ...] = ()
) -> Split:
    """Per user, oldest first, divided `ratio`; equal times keep the order of the source.

    A user with n interactions has ceil(0.8 n) in train and ceil(0.9 n) before test (for 8:1:1), so
    histories of 5 to 9 have one validation and no test interaction.
    """
    inter = dataset.interactions
    order = np.lexsort((np.arange(len(inter)), inter.time, inter.user))
    inter = inter.take(order)
    size = np.bincount(inter.user, minlength=len(dataset.users))
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    position = np.arange(len(inter)) - start[inter.user]
    n = size[inter.user]
    total = sum(ratio)
    train: NDArray[np.bool_] = position < -(-n * ratio[0] // total)
    test: NDArray[np.bool_] = position >= -(-n * (ratio[0] + ratio[1]) // total)
    return Split(dataset, inter.take(train), inter.take(~train & ~test), inter.take(test), steps)


def latest(inter: Interactions, length: int) -> Interactions:
    """Each user's last `length` interactions (the cold-start truncation of the paper's Table V).

    `inter` is sorted by user, then time, as the parts of a Split are; ValueError if its users are not.
    """
    inter.require_by_user()
    size = np.bincount(inter.user) if len(inter) else np.zeros(0, dtype=np.int64)
    end = np.cumsum(size)
    return inter.take(end[inter.user] - np.arange(len(inter)) <= length)


def _counts(step: str, dataset: Dataset) -> Counts:
    inter = dataset.interactions
    return Counts(step, len(np.unique(inter.user)), len(np.unique(inter.item)), len(inter))
