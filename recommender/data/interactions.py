"""Interactions from any source of tables, block by block: 10^8 rows take the memory of their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.data.dataset import DataError, Interactions
from recommender.data.repeats import keep_earliest
from recommender.data.tables import require

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from recommender.data.skipping import Skips
    from recommender.data.tables import Source, Table

_TIME = "a time in whole seconds or milliseconds since 1970"
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Columns:
    """Which columns hold what."""

    user: str
    item: str
    rating: str | None
    """None: there are no ratings."""
    time: str
    per_second: int = 1
    """Units of time in a second."""
    stars: Collection[float] | None = None
    """Ratings that can be; None: any number, and none."""


@dataclass(frozen=True)
class Known:
    """The ids that a table of users or items has, in its order."""

    path: Path
    ids: list[str]


def read_interactions(
    source: Source, columns: Columns, skips: Skips, users: Known | None = None, items: Known | None = None
) -> tuple[Interactions, list[str], list[str]]:
    """The rows of a source; users and items are numbered as in `users` and `items`, or else in order of appearance.

    The ids come with the rows. Left out and told to `skips` are rows with an empty or unknown id, a rating that is no
    number or none of `columns.stars`, a time that is none; and of rows with the same user and item all but the earliest.
    DataError where no row is left.
    """
    require(source, columns.user, columns.item, columns.time, *([columns.rating] if columns.rating else []))
    user, item = _Numbering(users), _Numbering(items)
    parts: list[Interactions] = []
    lost: list[NDArray[np.int64]] = []
    for table in source.tables(skips):
        part, bad = _usable(table, columns, user, item, skips)
        parts.append(part)
        lost.append(table.rows[bad])
    inter = _joined(parts)
    if not len(inter):
        skips.close(skips.left_out)
        raise DataError(f"{source.path}: holds no interactions")
    gone = np.sort(np.concatenate(lost))
    # Row n of what was kept is row n + (rows lost before it) of the source.
    shift = gone - np.arange(len(gone))

    def places(rows: Sequence[int]) -> list[str]:
        return source.places((rows + np.searchsorted(shift, rows, side="right")).tolist())

    return keep_earliest(inter, user.ids, item.ids, places, skips), user.ids, item.ids


class _Numbering:
    """Ids as row numbers: those of a known table, or in order of appearance."""

    def __init__(self, known: Known | None) -> None:
        self.known = known
        self.ids: list[str] = [] if known is None else known.ids
        self._number = {id_: row for row, id_ in enumerate(self.ids)}

    def unusable(self, cells: _Cells) -> NDArray[np.bool_]:
        """(n,) where the cell is empty or, of a known table, not there."""
        missing = [not id_ or (self.known is not None and id_ not in self._number) for id_ in cells.distinct]
        return np.array(missing, dtype=bool)[cells.codes]

    def rows(self, cells: _Cells, kept: NDArray[np.bool_]) -> NDArray[np.int32]:
        """The row number of each cell that is kept; new ids are added."""
        codes = cells.codes[kept]
        used = np.bincount(codes, minlength=len(cells.distinct)) > 0
        numbers = np.full(len(used), -1, dtype=np.int32)
        for place in np.flatnonzero(used).tolist():
            id_ = cells.distinct[place]
            if id_ not in self._number:
                self._number[id_] = len(self.ids)
                self.ids.append(id_)
            numbers[place] = self._number[id_]
        return numbers[codes]


@dataclass(frozen=True)
class _Cells:
    """A column as codes of its distinct cells."""

    codes: NDArray[np.int32]
    distinct: list[str]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Cells:
        encoded = column.combine_chunks().dictionary_encode("encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
        return cls(codes, [cell or "" for cell in encoded.dictionary.to_pylist()])


def _usable(
    table: Table, columns: Columns, user: _Numbering, item: _Numbering, skips: Skips
) -> tuple[Interactions, NDArray[np.bool_]]:
    """The rows of a block that say everything, and where the others stand."""
    times, untimed = table.times(columns.time, columns.per_second)
    ratings, unrated, wish = _ratings(table, columns)
    users, items = _Cells.of(table.strings(columns.user)), _Cells.of(table.strings(columns.item))
    nobody, nothing = user.unusable(users), item.unusable(items)

    def why(row: int) -> str:
        for bad, name, numbering in ((nobody, columns.user, user), (nothing, columns.item, item)):
            if bad[row]:
                cell = table.cell(name, row)
                if not cell or numbering.known is None:
                    return f"{name} is empty"
                return f"{name} {cell!r} is not in {numbering.known.path}"
        name, wanted = (columns.rating or "", wish) if unrated[row] else (columns.time, _TIME)
        return f"{name} {table.cell(name, row)[:80]!r} is not {wanted}"

    bad = nobody | nothing | unrated | untimed
    table.drop(bad, why, skips)
    part = Interactions(
        user.rows(users, ~bad), item.rows(items, ~bad), ratings[~bad].astype(np.float32), times[~bad]
    )
    return part, bad


def _ratings(table: Table, columns: Columns) -> tuple[NDArray[np.float64], NDArray[np.bool_], str]:
    """The ratings, where there is none that can be, and what is wanted."""
    if columns.rating is None:
        return np.full(len(table), np.nan), np.zeros(len(table), dtype=bool), ""
    ratings, wrong = table.numbers(columns.rating)
    if columns.stars is not None:
        return (
            ratings,
            ~np.isin(ratings, list(columns.stars)),
            f"one of {', '.join(f'{star:g}' for star in columns.stars)}",
        )
    return ratings, wrong | (np.abs(ratings) > _LARGEST), "a number of common size"


def _joined(parts: list[Interactions]) -> Interactions:
    """All parts as one; each column is freed as soon as it is copied."""
    empty = Interactions(
        np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    )
    return Interactions(
        np.concatenate([empty.user, *(part.user for part in parts)]),
        np.concatenate([empty.item, *(part.item for part in parts)]),
        np.concatenate([empty.rating, *(part.rating for part in parts)]),
        np.concatenate([empty.time, *(part.time for part in parts)]),
    )
