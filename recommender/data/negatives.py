"""Known negatives: ratings below the threshold, which no model and no simulated user is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.data.dataset import Interactions
from recommender.data.ordering import by_user_and_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.data.dataset import Dataset


def known_negatives(read: Dataset, kept: Dataset, min_rating: float) -> Interactions:
    """The ratings of `read` below `min_rating` by users and of items that are `kept`, sorted by user, then time.

    Users and items are rows of the tables of `kept`, which has only what the filters left.
    """
    inter = read.interactions
    below = inter.take(np.flatnonzero(inter.rating < min_rating))
    user = _rows(read.users["user_id"], kept.users["user_id"])[below.user]
    item = _rows(read.items["item_id"], kept.items["item_id"])[below.item]
    known = np.flatnonzero((user >= 0) & (item >= 0))
    return by_user_and_time(Interactions(user[known], item[known], below.rating[known], below.time[known]))


def _rows(then: pd.Series[str], now: pd.Series[str]) -> NDArray[np.int32]:
    """For each row of one table the row of the same id in another; -1 where it is not there."""
    return pd.Index(now).get_indexer(pd.Index(then)).astype(np.int32)
