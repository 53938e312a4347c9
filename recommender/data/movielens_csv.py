"""Reader for the MovieLens releases of `.csv` files: 20M, 25M, 32M and the latest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.data.dataset import DataError, Dataset
from recommender.data.table_files import read_text
from recommender.data.tables import Known, interactions, object_table

if TYPE_CHECKING:
    from pathlib import Path

_NO_GENRES = "(no genres listed)"


def read_movielens_csv(folder: Path, name: str) -> Dataset:
    """The release called `name` from `ratings.csv` and `movies.csv`: half stars, no demographics.

    Users stand in the order of their first rating. Raises DataError with file:line for a malformed line, an id that
    stands twice, a rating that is not 0.5, 1 ... 5, of an unknown movie, or of a movie that the user has rated already.
    """
    movies = read_text(folder / "movies.csv", ",", quoted=True)
    movies.require("movieId", "title", "genres")
    movie_ids = movies.ids("movieId")
    ratings = read_text(folder / "ratings.csv", ",", quoted=True)
    inter, user_ids, _ = interactions(
        ratings, ("userId", "movieId", "rating", "timestamp"), items=Known(movies.path, movie_ids)
    )
    wrong = np.flatnonzero(~np.isin(inter.rating, np.arange(1, 11) / 2))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{ratings.place(row)}: rating {ratings.cell('rating', row)!r} is not 0.5, 1, 1.5 ... or 5"
        )
    return Dataset(
        name,
        synthetic=False,
        users=object_table({"user_id": user_ids}),
        items=object_table(
            {
                "item_id": movie_ids,
                "title": movies.text("title"),
                "genres": [
                    () if cell == _NO_GENRES else tuple(genre for genre in cell.split("|") if genre)
                    for cell in movies.text("genres")
                ],
                "description": [""] * len(movies),
            }
        ),
        interactions=inter,
    )
