"""users.parquet: who the users of a run's test are, so that who was there in a round can be gone through again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.trained_directory import whole_file
from simulator.measures.sessions import People
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from recommender.data.splitting import Split


def people_of(split: Split, residents: NDArray[np.int64], newcomers: NDArray[np.int64]) -> People:
    """Those in these rows of the users' table."""
    ids, train = split.dataset.users["user_id"].tolist(), split.train
    counts = np.bincount(train.item, minlength=len(split.dataset.items))
    size = np.bincount(train.user, minlength=len(ids))
    total = np.bincount(train.user, counts[train.item].astype(np.float64), minlength=len(ids))
    mean = np.divide(total, size, out=np.full(len(ids), np.nan), where=size > 0)
    everyone = np.concatenate([residents, newcomers]).tolist()
    return People(
        [ids[row] for row in residents.tolist()],
        [ids[row] for row in newcomers.tolist()],
        {ids[row]: float(mean[row]) for row in everyone},
    )


def write_users(path: Path, people: People, data: str) -> None:
    """Both in their order; the file is whole or not there. `data` is the name of the data."""
    users = [*people.residents, *people.newcomers]
    table = pd.DataFrame(
        {
            "user_id": users,
            "newcomer": np.arange(len(users)) >= len(people.residents),
            "history_popularity": [people.popularity[user] for user in users],
            "data": data,
        }
    )
    with whole_file(path) as file:
        table.to_parquet(file, index=False)


def read_users(path: Path) -> People:
    """Read them back; TranscriptError if it is no such table."""
    try:
        table = pd.read_parquet(path)
        new = table["newcomer"].to_numpy(dtype=bool)
        popularity = dict(zip(table["user_id"].tolist(), table["history_popularity"].tolist(), strict=True))
        return People(table["user_id"][~new].tolist(), table["user_id"][new].tolist(), popularity)
    except (OSError, ValueError, KeyError) as error:
        raise TranscriptError(f"{path}: not a table of users: {error}") from None
