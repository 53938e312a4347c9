"""Named columns of a file, whatever its format, and the interactions in them; every mistake is told with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recommender.data.dataset import DataError, Interactions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_LAST_TIME = 2.0**53
"""Whole seconds up to which a number with a decimal point is exact."""
_TIME = "a time in whole seconds or milliseconds since 1970"


@dataclass(frozen=True)
class Table:
    """Columns of one length by name; every cell is text, "" if empty (in Parquet: or a list, or null)."""

    path: Path
    columns: pa.Table
    place: Callable[[int], str]
    """Where a row stands, such as file:line."""

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    def __contains__(self, name: str) -> bool:
        return name in self.columns.column_names

    def require(self, *names: str) -> None:
        """DataError that names the first of these columns that is missing, and what there is."""
        for name in names:
            if name not in self:
                raise DataError(
                    f"{self.path}:1: no column {name!r}; the columns are {', '.join(self.columns.column_names)}"
                )

    def text(self, name: str) -> list[str]:
        """The cells of a column; "" where nothing is given."""
        return ["" if cell is None else str(cell) for cell in self._as_text(name).to_pylist()]

    def lists(self, name: str, split: Callable[[str], tuple[str, ...]]) -> list[tuple[str, ...]]:
        """A column of lists: Parquet's own, or text that `split` divides."""
        column = self.columns[name]
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            return [tuple(str(part) for part in cell or ()) for cell in column.to_pylist()]
        return [split(cell) for cell in self.text(name)]

    def ids(self, name: str) -> list[str]:
        """A column that names the rows; DataError for an empty cell or one that stands twice."""
        found = self.text(name)
        first: dict[str, int] = {}
        for row, cell in enumerate(found):
            if not cell:
                raise DataError(f"{self.place(row)}: {name} is empty")
            if (other := first.setdefault(cell, row)) != row:
                raise DataError(f"{self.place(row)}: {name} {cell!r} stands at {self.place(other)} already")
        return found

    def numbers(self, name: str, wish: str = "a number") -> NDArray[np.float64]:
        """(n,) a column of numbers, NaN where the cell is empty; DataError for anything else."""
        column = self._as_text(name)
        given = pc.not_equal(pc.fill_null(column, ""), "")
        try:
            cast = pc.cast(pc.if_else(given, column, None), pa.float64())
        except pa.ArrowInvalid:
            self._refuse(name, wish, lambda cell: cell == "" or _is_number(cell))
        values: NDArray[np.float64] = cast.to_numpy().astype(np.float64)
        if (~np.isfinite(values) & given.to_numpy()).any():
            self._refuse(name, wish, lambda cell: cell == "" or _is_number(cell))
        return values

    def times(self, name: str, per_second: int = 1) -> NDArray[np.int64]:
        """(n,) whole seconds since 1970 from a column of whole numbers of 1 / `per_second` seconds, or of timestamps."""
        column = self.columns[name]
        if pa.types.is_date(column.type):
            column = pc.cast(column, pa.timestamp("us"))
        if pa.types.is_timestamp(column.type):
            instants = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
            values, per_second = pc.cast(instants, pa.int64()).to_numpy(), 10**6
        else:
            try:
                # Exact for every whole number; only "9.6e8" and "960000000.0" need the way over float.
                values = pc.cast(self._as_text(name), pa.int64()).to_numpy()
            except pa.ArrowInvalid:
                values = self.numbers(name, _TIME)
        with np.errstate(invalid="ignore"):
            wrong = ~((values >= 0) & (values <= _LAST_TIME) & (np.floor(values) == values))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{self.place(row)}: {name} {self.cell(name, row)!r} is not {_TIME}")
        seconds: NDArray[np.int64] = values.astype(np.int64) // per_second
        return seconds

    def numbered(self, name: str) -> tuple[NDArray[np.int32], list[str]]:
        """(n,) the number of each cell among the distinct ones, and those in order of appearance; DataError if empty."""
        encoded = self._as_text(name).combine_chunks().dictionary_encode()
        distinct = [str(cell or "") for cell in encoded.dictionary.to_pylist()]
        if encoded.null_count or "" in distinct:
            row = next(row for row, cell in enumerate(self.text(name)) if not cell)
            raise DataError(f"{self.place(row)}: {name} is empty")
        codes: NDArray[np.int32] = encoded.indices.to_numpy().astype(np.int32)
        return codes, distinct

    def cell(self, name: str, row: int) -> str:
        """One cell as text."""
        value = self.columns[name][row].as_py()
        return "" if value is None else str(value)

    def _as_text(self, name: str) -> pa.ChunkedArray:
        column = self.columns[name]
        try:
            return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(
                f"{self.path}: column {name} of type {column.type} cannot be read as text"
            ) from None

    def _refuse(self, name: str, wish: str, fits: Callable[[str], bool]) -> NoReturn:
        row, cell = next((row, cell) for row, cell in enumerate(self.text(name)) if not fits(cell))
        raise DataError(f"{self.place(row)}: {name} {cell[:80]!r} is not {wish}")


def optional(values: Sequence[str]) -> list[str | None]:
    """Cells of a table of users: what is empty is not known."""
    return [value or None for value in values]


def object_table(columns: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """Columns of objects: pandas' own text type would turn None into nan."""
    return pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})


@dataclass(frozen=True)
class Known:
    """The ids that a table of users or items has, in its order."""

    path: Path
    ids: list[str]


def interactions(
    table: Table,
    columns: tuple[str, str, str | None, str],
    users: Known | None = None,
    items: Known | None = None,
    *,
    per_second: int = 1,
) -> tuple[Interactions, list[str], list[str]]:
    """The rows of a table with the given columns of user, item, rating (None: there are no ratings) and time.

    Users and items are numbered as in `users` and `items`, or else in order of appearance; the ids come with the rows.
    DataError with the place of an unknown or empty id, a rating that is no number, a time that is none, and a second
    row of the same user and item; and for a table without rows.
    """
    user, item, rating, time = columns
    table.require(user, item, time, *([] if rating is None else [rating]))
    if not len(table):
        raise DataError(f"{table.path}: holds no interactions")
    user_row, user_ids = _rows(table, user, users)
    item_row, item_ids = _rows(table, item, items)
    pair = user_row.astype(np.int64) * len(item_ids) + item_row
    order = np.argsort(pair, kind="stable")
    again = np.flatnonzero(pair[order][1:] == pair[order][:-1])
    if len(again):
        first, second = int(order[again[0]]), int(order[again[0] + 1])
        raise DataError(
            f"{table.place(second)}: user {table.cell(user, second)} and item {table.cell(item, second)} stand "
            f"together at {table.place(first)} already; keep one of the two"
        )
    stars = np.full(len(table), np.nan) if rating is None else table.numbers(rating)
    large = np.flatnonzero(np.abs(stars) > np.finfo(np.float32).max)
    if rating is not None and len(large):
        row = int(large[0])
        raise DataError(f"{table.place(row)}: {rating} {table.cell(rating, row)!r} is too large")
    seconds = table.times(time, per_second)
    return Interactions(user_row, item_row, stars.astype(np.float32), seconds), user_ids, item_ids


def _rows(table: Table, name: str, known: Known | None) -> tuple[NDArray[np.int32], list[str]]:
    codes, distinct = table.numbered(name)
    if known is None:
        return codes, distinct
    number = {id_: row for row, id_ in enumerate(known.ids)}
    rows = np.array([number.get(id_, -1) for id_ in distinct], dtype=np.int32)[codes]
    unknown = np.flatnonzero(rows < 0)
    if len(unknown):
        row = int(unknown[0])
        raise DataError(f"{table.place(row)}: {name} {table.cell(name, row)!r} is not in {known.path}")
    return rows, known.ids


def _is_number(cell: str) -> bool:
    try:
        pc.cast(pa.scalar(cell), pa.float64())
        return bool(np.isfinite(float(cell)))
    except (pa.ArrowInvalid, ValueError):
        return False
