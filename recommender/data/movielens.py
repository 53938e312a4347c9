"""Readers for MovieLens-1M and MovieLens-100K (Harper and Konstan, 2015) as GroupLens publishes them.

Whatever a file says that the format does not allow is a DataError with file:line; nothing is guessed or skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.data.dataset import Dataset
from recommender.data.delimited import Records, read_ratings
from recommender.data.tables import object_table

if TYPE_CHECKING:
    from pathlib import Path

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


def read_ml1m(folder: Path) -> Dataset:
    """MovieLens-1M from `ratings.dat`, `users.dat` and `movies.dat` (`::` between fields, Latin-1).

    Raises DataError with file:line for a missing or empty file, a malformed line, an id that stands twice, a rating
    of an unknown user or movie, or a second rating of the same movie by the same user.
    """
    people = Records(folder / "users.dat", "::", 5)
    users = object_table(
        {
            "user_id": people.column(0),
            "gender": people.coded(1, "gender", {"F": "F", "M": "M"}),
            "age": people.coded(2, "age", _AGE_BANDS_1M),
            "occupation": people.coded(3, "occupation", _OCCUPATIONS_1M),
            "zip": [code or None for code in people.column(4)],
        }
    )
    movies = Records(folder / "movies.dat", "::", 3)
    items = object_table(
        {
            "item_id": movies.column(0),
            "title": movies.column(1),
            "genres": [tuple(genre for genre in row.split("|") if genre) for row in movies.column(2)],
            "description": [""] * len(movies),
        }
    )
    ratings = read_ratings(folder / "ratings.dat", "::", people, movies)
    return Dataset("MovieLens-1M", synthetic=False, users=users, items=items, interactions=ratings)


def read_ml100k(folder: Path) -> Dataset:
    """MovieLens-100K from `u.data`, `u.user` and `u.item`; the genre "unknown" is no genre.

    Raises DataError as `read_ml1m` does.
    """
    people = Records(folder / "u.user", "|", 5)
    users = object_table(
        {
            "user_id": people.column(0),
            "gender": people.coded(2, "gender", {"F": "F", "M": "M"}),
            "age": people.whole(1, "age", 1, 120),
            "occupation": [None if word in _UNSTATED_100K else word for word in people.column(3)],
            "zip": [code or None for code in people.column(4)],
        }
    )
    movies = Records(folder / "u.item", "|", 5 + len(_GENRES_100K))
    flags = [
        movies.coded(5 + n, f"flag of {genre}", {"0": None, "1": genre})
        for n, genre in enumerate(_GENRES_100K)
    ]
    items = object_table(
        {
            "item_id": movies.column(0),
            "title": movies.column(1),
            "genres": [
                tuple(genre for genre in row if genre and genre != "unknown")
                for row in zip(*flags, strict=True)
            ],
            "description": [""] * len(movies),
        }
    )
    ratings = read_ratings(folder / "u.data", "\t", people, movies)
    return Dataset("MovieLens-100K", synthetic=False, users=users, items=items, interactions=ratings)
