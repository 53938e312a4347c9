"""items.parquet: what the items of a run's slates are, so that a run can be read and measured without its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.trained_directory import whole_file
from simulator.measures.sessions import Catalogue
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from pathlib import Path

    from recommender.data.splitting import Split

_COLUMNS = ("title", "train_interactions", "data")
_GENRES = "genres"
"""A column that runs of earlier versions lack."""


def items_of(split: Split) -> pd.DataFrame:
    """Title, train interactions, genres and name of the data, for every item of the catalogue, by item id, in its order."""
    items = split.dataset.items
    counts = np.bincount(split.train.item, minlength=len(items))
    columns = {
        "item_id": items["item_id"],
        "title": items["title"],
        "train_interactions": counts,
        _GENRES: items["genres"].map(list),
        "data": split.dataset.label,
    }
    return pd.DataFrame(columns).set_index("item_id")


def popularity_of(items: pd.DataFrame) -> dict[str, int]:
    """Train interactions by item id, of the table of `items_of`."""
    return dict(zip(items.index.tolist(), items["train_interactions"].tolist(), strict=True))


def titles_of(items: pd.DataFrame) -> dict[str, str]:
    """Titles by item id, of the table of `items_of`."""
    return dict(zip(items.index.tolist(), items["title"].tolist(), strict=True))


def catalogue_of(items: pd.DataFrame, size: int, interactions: int) -> Catalogue:
    """The table of `items_of` for measures over rounds; `size` and train `interactions` are of the whole catalogue."""
    genres = items[_GENRES] if _GENRES in items else pd.Series([[]] * len(items), index=items.index)
    names = sorted({genre for row in genres for genre in row})
    number = {genre: at for at, genre in enumerate(names)}
    matrix = np.zeros((len(items), len(names)), dtype=np.float32)
    for row, own in enumerate(genres):
        matrix[row, [number[genre] for genre in own]] = 1
    counts = items["train_interactions"].to_numpy(dtype=np.int64)
    return Catalogue({item: row for row, item in enumerate(items.index)}, matrix, counts, size, interactions)


def write_items(path: Path, items: pd.DataFrame) -> None:
    """Write rows of the table of `items_of`; the file is whole or not there."""
    with whole_file(path) as file:
        items.reset_index().to_parquet(file, index=False)


def read_items(path: Path) -> pd.DataFrame:
    """Read it back; TranscriptError if it is no such table."""
    try:
        table = pd.read_parquet(path).set_index("item_id")
        return table[[*_COLUMNS, *table.columns.intersection([_GENRES])]]
    except (OSError, ValueError, KeyError) as error:
        raise TranscriptError(f"{path}: not a table of items: {error}") from None
