"""Small data sets and models for the tests of the recommender and of what stands on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st

from recommender.data import Dataset, Interactions
from recommender.models import Batch, Recommender


def interactions(rows):
    """From rows of user, item, rating, time."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Interactions(
        table[:, 0].astype(np.int32),
        table[:, 1].astype(np.int32),
        table[:, 2].astype(np.float32),
        table[:, 3].astype(np.int64),
    )


def rows(inter):
    """The reverse of `interactions`."""
    columns = (inter.user, inter.item, inter.rating, inter.time)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def dataset(inter, users, items):
    """Anonymous users and items around interactions."""
    genres = ("Comedy", "Drama", "War")
    return Dataset(
        name="toy",
        synthetic=True,
        users=pd.DataFrame({"user_id": pd.Series([f"u{n}" for n in range(users)], dtype=object)}),
        items=pd.DataFrame(
            {
                "item_id": pd.Series([f"i{n}" for n in range(items)], dtype=object),
                "title": pd.Series([f"title{n // 3} story" for n in range(items)], dtype=object),
                "genres": pd.Series([(genres[n % 3],) for n in range(items)], dtype=object),
                "description": pd.Series([""] * items, dtype=object),
            }
        ),
        interactions=inter,
    )


@st.composite
def datasets(draw, max_users=6, max_items=8):
    """Up to a few dozen ratings, no pair twice, many equal times, in any order of rows."""
    users, items = draw(st.integers(1, max_users)), draw(st.integers(1, max_items))
    pairs = st.tuples(st.integers(0, users - 1), st.integers(0, items - 1))
    chosen = draw(st.lists(pairs, unique=True, max_size=users * items))
    table = [(u, i, draw(st.integers(1, 5)), draw(st.integers(0, 5))) for u, i in chosen]
    return dataset(interactions(table), users, items)


class Lookup(Recommender):
    """Scores as given: (U, I) whole numbers, exact in any order of summing, so ties are ties."""

    def __init__(self, table):
        super().__init__()
        self.register_buffer("table", torch.as_tensor(table, dtype=torch.float32))
        self.seen = []

    def loss(self, batch: Batch):
        raise NotImplementedError

    def users(self, batch: Batch):
        self.seen.append(batch)
        return self.table[batch.user][:, None]

    def items(self):
        return torch.eye(self.table.shape[1])
