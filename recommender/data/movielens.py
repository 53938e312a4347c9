"""Readers for MovieLens-1M and MovieLens-100K (Harper and Konstan, 2015) as GroupLens publishes them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.data.dataset import DataError, Dataset, Interactions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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

    Raises DataError with file:line for a missing file, a malformed line, or a rating of an unknown user or movie.
    """
    users_rows = _records(folder / "users.dat", "::", 5)
    users = pd.DataFrame(
        {
            "user_id": [row[0] for row in users_rows],
            "gender": [
                _coded(folder / "users.dat", i, row[1], ("F", "M")) for i, row in enumerate(users_rows)
            ],
            "age": [_AGE_BANDS_1M.get(row[2]) for row in users_rows],
            "occupation": [_OCCUPATIONS_1M.get(row[3]) for row in users_rows],
            "zip": [row[4] or None for row in users_rows],
        }
    )
    movies_rows = _records(folder / "movies.dat", "::", 3)
    items = pd.DataFrame(
        {
            "item_id": [row[0] for row in movies_rows],
            "title": [row[1] for row in movies_rows],
            "genres": [tuple(row[2].split("|")) for row in movies_rows],
            "description": "",
        }
    )
    return _assemble("MovieLens-1M", users, items, folder / "ratings.dat", "::")


def read_ml100k(folder: Path) -> Dataset:
    """MovieLens-100K from `u.data`, `u.user` and `u.item`. Raises DataError as `read_ml1m` does."""
    users_rows = _records(folder / "u.user", "|", 5)
    users = pd.DataFrame(
        {
            "user_id": [row[0] for row in users_rows],
            "gender": [_coded(folder / "u.user", i, row[2], ("F", "M")) for i, row in enumerate(users_rows)],
            "age": [row[1] for row in users_rows],
            "occupation": [None if row[3] in _UNSTATED_100K else row[3] for row in users_rows],
            "zip": [row[4] or None for row in users_rows],
        }
    )
    items_rows = _records(folder / "u.item", "|", 5 + len(_GENRES_100K))
    items = pd.DataFrame(
        {
            "item_id": [row[0] for row in items_rows],
            "title": [row[1] for row in items_rows],
            "genres": [
                tuple(genre for genre, flag in zip(_GENRES_100K, row[5:], strict=True) if flag == "1")
                for row in items_rows
            ],
            "description": "",
        }
    )
    return _assemble("MovieLens-100K", users, items, folder / "u.data", "\t")


def _assemble(name: str, users: pd.DataFrame, items: pd.DataFrame, ratings: Path, separator: str) -> Dataset:
    table = _ratings_table(ratings, separator)
    return Dataset(
        name=name,
        synthetic=False,
        users=users,
        items=items,
        interactions=Interactions(
            user=_row_numbers(ratings, "user", users["user_id"], table[:, 0]),
            item=_row_numbers(ratings, "movie", items["item_id"], table[:, 1]),
            rating=table[:, 2].astype(np.float32),
            time=table[:, 3],
        ),
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; give the folder that holds it with --set data.path=FOLDER "
            "or set SCREENTEST_DATA to the folder above it"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _records(path: Path, separator: str, width: int) -> list[list[str]]:
    """All lines of a small table as lists of `width` fields; keys (first fields) must be unique."""
    rows: list[list[str]] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(_read_bytes(path).decode("latin-1").split("\n"), start=1):
        if not line.strip():
            continue
        row = line.rstrip("\r").split(separator)
        if len(row) != width:
            raise DataError(f"{path}:{number}: {len(row)} fields where {width} were expected: {line[:80]!r}")
        if row[0] in seen:
            raise DataError(f"{path}:{number}: id {row[0]} stands on line {seen[row[0]]} already")
        seen[row[0]] = number
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: the file is empty")
    return rows


def _coded(path: Path, index: int, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise DataError(f"{path}: row {index + 1}: {value!r} is not one of {', '.join(allowed)}")
    return value


def _ratings_table(path: Path, separator: str) -> NDArray[np.int64]:
    """(n, 4) integers: user, movie, rating, time. A million lines take well under a second."""
    raw = _read_bytes(path)
    pattern = re.compile(separator.join([rb"\d+".decode()] * 2 + [r"[1-5]", r"\d+"]).encode() + rb"\r?")
    try:
        # pandas' fast engine takes one-character separators only.
        frame = pd.read_csv(
            io.BytesIO(raw.replace(separator.encode(), b"\t")),
            sep="\t",
            header=None,
            dtype=np.int64,
            quoting=3,
        )
        table = frame.to_numpy(dtype=np.int64)
        if table.shape[1] == 4 and (table >= 0).all() and np.isin(table[:, 2], (1, 2, 3, 4, 5)).all():
            return table
    except (ValueError, OverflowError):
        pass  # The line is named below.
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if line.strip() and not pattern.fullmatch(line):
            shown = line[:80].decode("latin-1")
            raise DataError(
                f"{path}:{number}: not a rating line 'user{separator}movie{separator}1-5{separator}seconds': "
                f"{shown!r}; mend or remove the line"
            )
    raise DataError(f"{path}: holds no ratings")


def _row_numbers(path: Path, what: str, ids: pd.Series[str], values: NDArray[np.int64]) -> NDArray[np.int32]:
    known = ids.to_numpy(dtype=np.int64)
    order = np.argsort(known)
    place = np.searchsorted(known[order], values).clip(max=len(known) - 1)
    rows = order[place]
    wrong = np.flatnonzero(known[rows] != values)
    if len(wrong):
        raise DataError(f"{path}:{wrong[0] + 1}: {what} {values[wrong[0]]} is not in the {what}s file")
    numbers: NDArray[np.int32] = rows.astype(np.int32)
    return numbers
