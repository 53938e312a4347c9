"""Each user's target among sampled negatives, drawn once and stored, so that every model ranks the same items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.caching import content_key
from recommender.data.dataset import DataError
from recommender.data.splitting import concatenate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recommender.data.dataset import Interactions
    from recommender.data.splitting import Split


@dataclass(frozen=True)
class Candidates:
    """B users and, for each, the items that a model ranks: the target and `n` negatives."""

    phase: str
    """Whose targets: "validation" or "test"."""
    seed: int
    user: NDArray[np.int64]
    """(B,) in order."""
    item: NDArray[np.int64]
    """(B, 1 + n) the target first, then the negatives as they were drawn."""

    def require(self, targets: Interactions) -> None:
        """DataError where the users or their targets are not those of `targets`, sorted by user."""
        if not (np.array_equal(self.user, targets.user) and np.array_equal(self.item[:, 0], targets.item)):
            raise DataError(
                f"these candidates are for other {self.phase} targets; draw them from the split that is evaluated"
            )


def sample_candidates(split: Split, phase: str, negatives: int = 99, seed: int = 0) -> Candidates:
    """Each user's one target of `phase` and `negatives` items, drawn uniformly and none twice.

    Negatives are items that the user has in no part of the split. One that was rated below the threshold may be among
    them: it is known not to be a positive. The draws of a user depend on `seed`, `phase`, the user's id and what is left
    of the catalogue, not on the other users. NumPy may draw otherwise in another version, so store what was drawn
    (`recommender.data.candidate_file`). Raises DataError where a user has several targets (only the leave-one-out split
    has one of each) and where the catalogue is too small.
    """
    if negatives < 1:
        raise DataError(f"{negatives} negatives leave nothing to rank; ask for at least 1")
    targets = split.targets(phase)
    if not len(targets):
        raise DataError(f"{split.dataset.name}: no user has a {phase} interaction to draw candidates for")
    if (targets.user[1:] == targets.user[:-1]).any():
        raise DataError(
            f"{split.dataset.name}: sampled candidates need one {phase} interaction a user; use the leave-one-out split"
        )
    names = split.dataset.users["user_id"]
    items = len(split.dataset.items)
    drawn = np.empty((len(targets), 1 + negatives), dtype=np.int64)
    drawn[:, 0] = targets.item
    for row, (user, taken) in enumerate(
        zip(targets.user.tolist(), taken_by(split, targets.user), strict=True)
    ):
        free = items - len(taken)
        if free < negatives:
            raise DataError(
                f"{split.dataset.name}: user {names[user]} has taken all but {free} of {items} items, "
                f"so {negatives} negatives cannot be drawn; ask for fewer"
            )
        chosen = _generator(seed, phase, names[user]).choice(free, negatives, replace=False)
        # The r-th free item lies behind all taken ones that have at most r free items before them.
        drawn[row, 1:] = chosen + np.searchsorted(taken - np.arange(len(taken)), chosen, side="right")
    return Candidates(phase, seed, targets.user.astype(np.int64), drawn)


def taken_by(split: Split, users: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """The items, in order, that each of `users` has in any part of the split."""
    everything = concatenate(split.history("test"), split.test)
    start, end = (np.searchsorted(everything.user, users, side).tolist() for side in ("left", "right"))
    for first, last in zip(start, end, strict=True):
        yield np.sort(everything.item[first:last])


def _generator(seed: int, phase: str, user_id: str) -> np.random.Generator:
    key = content_key("candidates", str(seed), phase, user_id)
    return np.random.Generator(np.random.Philox(key=int(key[:32], 16)))
