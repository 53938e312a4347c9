"""The one value every reader returns and everything else starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from recommender.data.skipping import Skipped


Domain = Literal["movies", "books", "products", "fashion"]
"""What the items are: it chooses the words in which users are told of them."""
MatchSet = tuple[tuple[str, ...], ...]
"""One outfit: for each of its places the item ids (of `item_id`, filtered or not) that can stand there."""


class DataError(ValueError):
    """A file or value of the data is wrong; the message says what, where (file:line) and what to do."""


@dataclass(frozen=True)
class Interactions:
    """Ratings as columns of equal length; users and items are row numbers of a Dataset's tables."""

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    rating: NDArray[np.float32]
    """Stars, or NaN where the source has no rating: the user took the item, how it was liked is not known."""
    time: NDArray[np.int64]
    """Seconds since 1970-01-01 UTC."""

    def __post_init__(self) -> None:
        sizes = {len(self.user), len(self.item), len(self.rating), len(self.time)}
        if len(sizes) != 1:
            raise DataError(f"interaction columns differ in length: {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.user)

    def has_clock(self) -> bool:
        """Whether times are moments: if none is above the number of interactions of the busiest user, they are places."""
        return not len(self) or int(self.time.max()) > int(np.bincount(self.user).max())

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Interactions:
        """The rows named by a boolean mask or by row numbers, in that order."""
        return Interactions(self.user[rows], self.item[rows], self.rating[rows], self.time[rows])

    def require_by_user(self) -> None:
        """ValueError where users do not come one after the other: places in a history would be wrong in silence."""
        if (np.diff(self.user) < 0).any():
            raise ValueError("interactions must be sorted by user, then time, as the parts of a Split are")


@dataclass(frozen=True)
class Dataset:
    """Users, items and the ratings between them.

    `users` has one row a user: `user_id` (str) and, where the source has them, `name`, `gender` ("F"/"M"),
    `age` (a band such as "25-34", or a number, as str), `occupation` (words) and `zip`; a missing value is None.
    `items` has one row an item: `item_id` (str), `title` (as the source spells it), `genres` (tuple of str),
    `description` (str, "" if none) and, where the source has pictures, `image` (path of a file or URL; None if an item has
    none). No user has two interactions with one item.
    """

    name: str
    synthetic: bool
    """True if generated: every output computed from it says so."""
    users: pd.DataFrame
    items: pd.DataFrame
    interactions: Interactions
    clock: bool = True
    """False where times only number each user's interactions: then times of different users cannot be compared."""
    skipped: tuple[Skipped, ...] = ()
    """What the reader left out of the files."""
    match_sets: tuple[MatchSet, ...] = ()
    """Outfits that experts put together (Taobao fashion collocation)."""
    domain: Domain = "products"

    def __post_init__(self) -> None:
        inter = self.interactions
        for what, numbers, table in (("user", inter.user, self.users), ("item", inter.item, self.items)):
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(table):
                raise DataError(
                    f"{self.name}: interactions name {what} rows {numbers.min()} to {numbers.max()}, "
                    f"but there are {len(table)} {what}s"
                )

    @property
    def label(self) -> str:
        """How outputs name the data; generated data are always called synthetic."""
        return f"{self.name} (synthetic)" if self.synthetic else self.name

    def with_interactions(self, interactions: Interactions) -> Dataset:
        """The same users and items with other interactions."""
        return replace(self, interactions=interactions)

    def compact(self) -> Dataset:
        """Drop users and items without interactions and renumber the rest in their old order."""
        inter = self.interactions
        users, user = _renumbered(inter.user, self.users)
        items, item = _renumbered(inter.item, self.items)
        return replace(
            self, users=users, items=items, interactions=Interactions(user, item, inter.rating, inter.time)
        )


def _renumbered(numbers: NDArray[np.int32], table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """The rows of `table` that `numbers` names, and their new numbers."""
    named = np.zeros(len(table), dtype=bool)
    named[numbers] = True
    if named.all():
        return table, numbers
    new = np.cumsum(named, dtype=np.int32) - np.int32(1)
    return table[named].reset_index(drop=True), new[numbers]
