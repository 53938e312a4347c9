"""Reader for the MovieLens releases of `.csv` files: 20M, 25M, 32M and the latest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.data.dataset import Dataset
from recommender.data.interactions import Columns, Known, read_interactions
from recommender.data.skipping import TOLERANCE, Skips
from recommender.data.tables import object_table, read_records, require
from recommender.data.text_files import TextFile

if TYPE_CHECKING:
    from pathlib import Path

_NO_GENRES = "(no genres listed)"


def read_movielens_csv(folder: Path, tolerance: float = TOLERANCE, *, name: str) -> Dataset:
    """The release called `name` from `ratings.csv` and `movies.csv`: half stars, no demographics.

    Users stand in the order of their first rating. Left out and counted are malformed lines, ids that stand twice,
    ratings that are not 0.5, 1 ... 5 or of an unknown movie, and all but the earliest of a user's ratings of a movie.
    Raises DataError with file:line for missing columns and more than the share `tolerance` of malformed lines.
    """
    movie_skips = Skips(folder / "movies.csv", tolerance)
    catalogue = TextFile(movie_skips.path, ",", quoted=True)
    require(catalogue, "title", "genres")
    movies, movie_ids = read_records(catalogue, "movieId", movie_skips)
    skips = Skips(folder / "ratings.csv", tolerance)
    inter, user_ids, _ = read_interactions(
        TextFile(skips.path, ",", quoted=True),
        Columns("userId", "movieId", "rating", "timestamp", stars=[half / 2 for half in range(1, 11)]),
        skips,
        items=Known(movies.path, movie_ids),
    )
    return Dataset(
        name,
        synthetic=False,
        domain="movies",
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
        skipped=movie_skips.close(len(movies) + movie_skips.left_out)
        + skips.close(len(inter) + skips.left_out),
    )
