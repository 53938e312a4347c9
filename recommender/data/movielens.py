"""Readers for MovieLens-1M and MovieLens-100K (Harper and Konstan, 2015) as GroupLens publishes them.

Lines that the format does not allow are counted and left out up to a tolerance; a code without a meaning is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.data.dataset import DataError, Dataset
from recommender.data.interactions import Columns, Known, read_interactions
from recommender.data.skipping import TOLERANCE, Skips
from recommender.data.tables import object_table, optional, read_records
from recommender.data.text_files import TextFile

if TYPE_CHECKING:
    from pathlib import Path

    from recommender.data.dataset import Interactions
    from recommender.data.skipping import Skipped
    from recommender.data.tables import Table

_AGE_BANDS_1M = {
    "1": "Under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56+",
}
# Wording of the README that comes with MovieLens-1M; code 0 says nothing about the user and is kept missing.
_OCCUPATIONS_1M = {
    "0": None,
    "1": "academic/educator",
    "2": "artist",
    "3": "clerical/admin",
    "4": "college/grad student",
    "5": "customer service",
    "6": "doctor/health care",
    "7": "executive/managerial",
    "8": "farmer",
    "9": "homemaker",
    "10": "K-12 student",
    "11": "lawyer",
    "12": "programmer",
    "13": "retired",
    "14": "sales/marketing",
    "15": "scientist",
    "16": "self-employed",
    "17": "technician/engineer",
    "18": "tradesman/craftsman",
    "19": "unemployed",
    "20": "writer",
}
_UNSTATED_100K = frozenset({"none", "other"})
_GENRES_100K = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def read_ml1m(folder: Path, tolerance: float = TOLERANCE) -> Dataset:
    """MovieLens-1M from `ratings.dat`, `users.dat` and `movies.dat` (`::` between fields, Latin-1).

    Left out and counted are malformed lines, ids that stand twice, ratings that are not 1 to 5 or of an unknown user
    or movie, and the later of two ratings of one movie by one user. Raises DataError with file:line for a missing or
    empty file, an unknown code of gender, age or occupation, and more than the share `tolerance` of malformed lines.
    """
    people, user_ids, skipped = _records(
        folder / "users.dat", "::", ("UserID", "Gender", "Age", "Occupation", "Zip-code"), tolerance
    )
    users = object_table(
        {
            "user_id": user_ids,
            "gender": people.coded("Gender", "gender", {"F": "F", "M": "M"}),
            "age": people.coded("Age", "age", _AGE_BANDS_1M),
            "occupation": people.coded("Occupation", "occupation", _OCCUPATIONS_1M),
            "zip": optional(people.text("Zip-code")),
        }
    )
    movies, item_ids, skipped_movies = _records(
        folder / "movies.dat", "::", ("MovieID", "Title", "Genres"), tolerance
    )
    items = object_table(
        {
            "item_id": item_ids,
            "title": movies.text("Title"),
            "genres": [tuple(genre for genre in row.split("|") if genre) for row in movies.text("Genres")],
            "description": [""] * len(movies),
        }
    )
    ratings, skipped_ratings = _ratings(
        folder / "ratings.dat",
        "::",
        Known(people.path, user_ids),
        Known(movies.path, item_ids),
        tolerance,
    )
    return Dataset(
        "MovieLens-1M",
        synthetic=False,
        users=users,
        items=items,
        interactions=ratings,
        skipped=skipped + skipped_movies + skipped_ratings,
        domain="movies",
    )


def read_ml100k(folder: Path, tolerance: float = TOLERANCE) -> Dataset:
    """MovieLens-100K from `u.data`, `u.user` and `u.item`; the genre "unknown" is no genre.

    Leaves out, counts and raises as `read_ml1m` does.
    """
    people, user_ids, skipped = _records(
        folder / "u.user", "|", ("user id", "age", "gender", "occupation", "zip code"), tolerance
    )
    ages = people.text("age")
    for row, age in enumerate(ages):
        if not (age.isascii() and age.isdigit() and 1 <= int(age) <= 120):
            raise DataError(f"{people.place(row)}: age {age!r} is not a whole number from 1 to 120")
    users = object_table(
        {
            "user_id": user_ids,
            "gender": people.coded("gender", "gender", {"F": "F", "M": "M"}),
            "age": ages,
            "occupation": [None if word in _UNSTATED_100K else word for word in people.text("occupation")],
            "zip": optional(people.text("zip code")),
        }
    )
    movies, item_ids, skipped_movies = _records(
        folder / "u.item",
        "|",
        ("movie id", "movie title", "release date", "video release date", "IMDb URL", *_GENRES_100K),
        tolerance,
    )
    flags = [
        movies.coded(genre, f"flag of {genre}", {"0": None, "1": None if genre == "unknown" else genre})
        for genre in _GENRES_100K
    ]
    items = object_table(
        {
            "item_id": item_ids,
            "title": movies.text("movie title"),
            "genres": [tuple(genre for genre in row if genre) for row in zip(*flags, strict=True)],
            "description": [""] * len(movies),
        }
    )
    ratings, skipped_ratings = _ratings(
        folder / "u.data", "\t", Known(people.path, user_ids), Known(movies.path, item_ids), tolerance
    )
    return Dataset(
        "MovieLens-100K",
        synthetic=False,
        users=users,
        items=items,
        interactions=ratings,
        skipped=skipped + skipped_movies + skipped_ratings,
        domain="movies",
    )


def _records(
    path: Path, separator: str, names: tuple[str, ...], tolerance: float
) -> tuple[Table, list[str], tuple[Skipped, ...]]:
    """The lines of a table whose first column is the id."""
    skips = Skips(path, tolerance)
    source = TextFile(path, separator, quoted=False, names=names, encoding="latin-1")
    table, ids = read_records(source, names[0], skips)
    return table, ids, skips.close(len(table) + skips.left_out)


def _ratings(
    path: Path, separator: str, users: Known, items: Known, tolerance: float
) -> tuple[Interactions, tuple[Skipped, ...]]:
    """Lines of user, item, stars 1 to 5 and seconds."""
    skips = Skips(path, tolerance)
    source = TextFile(path, separator, quoted=False, names=("user", "item", "rating", "time"))
    columns = Columns("user", "item", "rating", "time", stars=range(1, 6))
    inter, _, _ = read_interactions(source, columns, skips, users, items)
    return inter, skips.close(len(inter) + skips.left_out)
