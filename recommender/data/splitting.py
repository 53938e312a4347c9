"""From a data set to train, validation and test: per user in time, leave one out, or at one instant for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from recommender.data.dataset import DataError, Dataset, Interactions
from recommender.data.filtering import Counts, counts, filtered
from recommender.data.ordering import by_user_and_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

SplitKind = Literal["ratio", "leave-one-out", "global-time"]


@dataclass(frozen=True)
class Split:
    """A dataset and its interactions divided in time; every part is sorted by user, then time.

    Equal times of a user keep the order of the source.
    """

    dataset: Dataset
    """With the interactions of all parts, sorted as they are."""
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


def prepare(
    dataset: Dataset,
    min_rating: float = 3,
    core: int = 5,
    split: SplitKind = "ratio",
    ratio: tuple[int, int, int] = (8, 1, 1),
) -> Split:
    """Positives (rating >= `min_rating` or none), iterative `core`-core, then the split.

    `ratio` is train : validation : test of "ratio" (`temporal_split`) and "global-time" (`global_time_split`). Raises DataError where a user
    has two interactions with one item, where nothing is left, and where `split` cannot divide what is left.
    """
    kept, steps = filtered(dataset, min_rating, core)
    if split == "ratio":
        return temporal_split(kept, ratio, steps)
    if split == "leave-one-out":
        return leave_one_out(kept, steps)
    if split == "global-time":
        if not dataset.clock:
            raise DataError(
                f"{dataset.name}: its times only number each user's interactions, so no instant divides all users; "
                "use data.split ratio or leave-one-out"
            )
        return global_time_split(kept, ratio, steps)
    raise DataError(f"unknown split {split!r}; known are ratio, leave-one-out, global-time")


def temporal_split(
    dataset: Dataset, ratio: tuple[int, int, int] = (8, 1, 1), steps: tuple[Counts, ...] = ()
) -> Split:
    """Per user, oldest first, divided `ratio`; equal times keep the order of the source.

    A user with n interactions has ceil(0.8 n) in train and ceil(0.9 n) before test (for 8:1:1), so
    histories of 5 to 9 have one validation and no test interaction.
    """
    first, second = _cuts(_sizes(dataset), ratio)
    return _per_user(dataset, first, second, steps)


def leave_one_out(dataset: Dataset, steps: tuple[Counts, ...] = ()) -> Split:
    """Each user's last interaction is test, the one before it validation, the rest train.

    A user with fewer than 3 has all of them in train: nothing would be left to know the user by.
    """
    size = _sizes(dataset)
    held_out = size >= 3
    return _per_user(dataset, size - 2 * held_out, size - held_out, steps)


def global_time_split(
    dataset: Dataset, ratio: tuple[int, int, int] = (8, 1, 1), steps: tuple[Counts, ...] = ()
) -> Split:
    """Train is before one instant, test from a later one on, for all users alike; validation is between.

    The instants are the times of the rows at ceil(0.8 n) and ceil(0.9 n) of all n in time (for 8:1:1), so rows of
    one time are on one side. A held-out row whose user or whose item has no train interaction is left out, as nothing
    could have learnt them; such users and items leave the tables, and the step "known from train" says what remains.
    Raises DataError where a part is empty.
    """
    if min(ratio) < 1:
        raise DataError(f"a global-time split of {':'.join(map(str, ratio))} leaves a part empty")
    inter = by_user_and_time(dataset.interactions)
    n = len(inter)
    places = [min(int(cut), n - 1) for cut in _cuts(np.array(n), ratio)]
    instants = np.partition(inter.time, places)[places] if n else np.zeros(2, dtype=np.int64)
    part = (inter.time >= instants[0]).astype(np.uint8)
    part += inter.time >= instants[1]
    known_user = np.zeros(len(dataset.users), dtype=bool)
    known_item = np.zeros(len(dataset.items), dtype=bool)
    known_user[inter.user[part == 0]] = True
    known_item[inter.item[part == 0]] = True
    known = known_user[inter.user]
    known &= known_item[inter.item]
    left = dataset.with_interactions(inter.take(known)).compact()
    split = _divided(left, part[known], (*steps, counts("known from train", left.interactions)))
    sizes = [len(split.train), len(split.validation), len(split.test)]
    if not all(sizes):
        raise DataError(
            f"{dataset.name}: the global-time split leaves {sizes[0]} train, {sizes[1]} validation and {sizes[2]} test "
            "interactions of known users and items; the times are too coarse, or few users stay: use another data.split"
        )
    return split


def latest(inter: Interactions, length: int) -> Interactions:
    """Each user's last `length` interactions (the cold-start truncation of the paper's Table V).

    `inter` is sorted by user, then time, as the parts of a Split are; ValueError if its users are not.
    """
    inter.require_by_user()
    size = np.bincount(inter.user) if len(inter) else np.zeros(0, dtype=np.int64)
    end = np.cumsum(size)
    return inter.take(end[inter.user] - np.arange(len(inter)) <= length)


def _sizes(dataset: Dataset) -> NDArray[np.int64]:
    return np.bincount(dataset.interactions.user, minlength=len(dataset.users))


def _cuts(
    size: NDArray[np.int64], ratio: tuple[int, int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where validation and test begin among `size` rows: rounded up, so what is small goes to train."""
    if min(ratio) < 0 or not ratio[0]:
        raise DataError(f"a split of {':'.join(map(str, ratio))} needs a train part and no part below zero")
    total = sum(ratio)
    return -(-size * ratio[0] // total), -(-size * (ratio[0] + ratio[1]) // total)


def _per_user(
    dataset: Dataset, first: NDArray[np.int64], second: NDArray[np.int64], steps: tuple[Counts, ...]
) -> Split:
    """Each user's oldest `first` (U,) rows are train, those up to `second` (U,) validation, the others test."""
    size = _sizes(dataset)
    ordered = dataset.with_interactions(by_user_and_time(dataset.interactions))
    of_each = np.column_stack([first, second - first, size - second])
    return _divided(
        ordered, np.repeat(np.tile(np.arange(3, dtype=np.uint8), len(size)), of_each.ravel()), steps
    )


def _divided(ordered: Dataset, part: NDArray[np.uint8], steps: tuple[Counts, ...]) -> Split:
    """`part` (n,) is 0 for train, 1 for validation, 2 for test."""
    train, validation, test = (ordered.interactions.take(part == number) for number in range(3))
    return Split(ordered, train, validation, test, steps)
