"""Named columns of a file, whatever its format; every mistake is told with its place."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recommender.data.dataset import DataError
from recommender.data.skipping import SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from recommender.data.skipping import Skips

_LAST_TIME = 2.0**53
"""Whole seconds up to which a number with a decimal point is exact."""
_SHOWN = 400
"""Characters of the names of columns in a message: a header can be of any length."""


class Source(Protocol):
    """A file of named columns that is read in blocks of rows."""

    path: Path
    names: tuple[str, ...]

    def tables(self, skips: Skips) -> Iterator[Table]:
        """The rows in order; what cannot be a row is left out and told to `skips`."""

    def places(self, rows: Sequence[int]) -> list[str]:
        """Where rows (increasing) stand, such as file:line."""


@dataclass(frozen=True)
class Table:
    """Columns of one length by name; every cell is text, "" if empty (in Parquet: or a list, a number, a time, null)."""

    source: Source
    columns: pa.Table
    rows: NDArray[np.int64]
    """(n,) the number of each row in the source."""

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    def __contains__(self, name: str) -> bool:
        return name in self.columns.column_names

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    def place(self, row: int) -> str:
        """Where a row stands, such as file:line."""
        return self.source.places([int(self.rows[row])])[0]

    def with_columns(self, columns: pa.Table) -> Table:
        """The same rows with other columns."""
        return replace(self, columns=columns)

    def drop(self, bad: NDArray[np.bool_], why: Callable[[int], str], skips: Skips) -> Table:
        """The table without the rows where `bad`, which are told to `skips` as `why` says."""
        wrong = np.flatnonzero(bad)
        if not len(wrong):
            return self
        first = wrong[:SHOWN].tolist()
        skips.malformed(self._messages(first, why), len(wrong))
        return replace(self, columns=self.columns.filter(pa.array(~bad)), rows=self.rows[~bad])

    def text(self, name: str) -> list[str]:
        """The cells of a column; "" where nothing is given."""
        return ["" if cell is None else str(cell) for cell in self.strings(name).to_pylist()]

    def strings(self, name: str) -> pa.ChunkedArray:
        """A column as Arrow's text."""
        column = self.columns[name]
        try:
            return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(
                f"{self.path}: column {name} of type {column.type} cannot be read as text"
            ) from None

    def lists(self, name: str, split: Callable[[str], tuple[str, ...]]) -> list[tuple[str, ...]]:
        """A column of lists: Parquet's own, or text that `split` divides."""
        column = self.columns[name]
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            return [tuple(str(part) for part in cell or ()) for cell in column.to_pylist()]
        return [split(cell) for cell in self.text(name)]

    def coded(self, name: str, what: str, meaning: Mapping[str, str | None]) -> list[str | None]:
        """The meaning of each cell; DataError for a cell that has none."""
        cells = self.text(name)
        for row, cell in enumerate(cells):
            if cell not in meaning:
                raise DataError(f"{self.place(row)}: {what} {cell!r} is not one of {', '.join(meaning)}")
        return [meaning[cell] for cell in cells]

    def numbers(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(n,) a column of numbers, NaN where the cell is empty, and (n,) where the cell is something else."""
        column = self.strings(name)
        given = pc.not_equal(pc.fill_null(column, ""), "")
        known = pc.if_else(given, column, None)
        try:
            cast = pc.cast(known, pa.float64())
        except pa.ArrowInvalid:
            cast = pa.array([_number(cell) for cell in known.to_pylist()], pa.float64())
        values: NDArray[np.float64] = cast.to_numpy(zero_copy_only=False).astype(np.float64)
        return values, ~np.isfinite(values) & given.to_numpy(zero_copy_only=False)

    def times(self, name: str, per_second: int = 1) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(n,) seconds since 1970 from whole numbers of 1 / `per_second` seconds or timestamps, and where there is none."""
        column = self.columns[name]
        if pa.types.is_duration(column.type):
            raise DataError(
                f"{self.path}: column {name} of type {column.type} holds no times but how long it took"
            )
        if pa.types.is_date(column.type):
            column = pc.cast(column, pa.timestamp("us"))
        if pa.types.is_timestamp(column.type):
            instants = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
            values, per_second = pc.cast(instants, pa.int64()).to_numpy(), 10**6
        else:
            try:
                # Exact for every whole number; only "9.6e8" and "960000000.0" need the way over float.
                values = pc.cast(self.strings(name), pa.int64()).to_numpy()
            except pa.ArrowInvalid:
                values, _ = self.numbers(name)
        with np.errstate(invalid="ignore"):
            wrong = ~((values >= 0) & (values <= _LAST_TIME) & (np.floor(values) == values))
        seconds: NDArray[np.int64] = np.where(wrong, 0, values).astype(np.int64) // per_second
        return seconds, wrong

    def cell(self, name: str, row: int) -> str:
        """One cell as text."""
        value = self.columns[name][row].as_py()
        return "" if value is None else str(value)

    def _messages(self, rows: list[int], why: Callable[[int], str]) -> Iterator[str]:
        # A generator: places are only looked for if somebody wants to read them.
        places = self.source.places(self.rows[rows].tolist())
        for place, row in zip(places, rows, strict=True):
            yield f"{place}: {why(row)}"


def require(source: Source, *names: str) -> None:
    """DataError that names the first of these columns that is missing, and what there is."""
    for name in names:
        if name not in source.names:
            there = ", ".join(source.names)[:_SHOWN]
            raise DataError(
                f"{source.path}:1: no column {name!r}; the columns are {there if there.isprintable() else repr(there)}"
            )


def read_records(source: Source, name: str, skips: Skips) -> tuple[Table, list[str]]:
    """A table of users or items, whole, and its ids, the column `name`; rows of an empty or known id are left out."""
    require(source, name)
    blocks = list(source.tables(skips))
    if not blocks:
        columns = pa.table({each: pa.array([], pa.string()) for each in source.names})
        return Table(source, columns, np.zeros(0, dtype=np.int64)), []
    table = Table(
        source,
        pa.concat_tables([block.columns for block in blocks]),
        np.concatenate([block.rows for block in blocks]),
    )
    cells = table.text(name)
    first: dict[str, int] = {}
    bad = np.array(
        [not cell or first.setdefault(cell, row) != row for row, cell in enumerate(cells)], dtype=bool
    )

    def why(row: int) -> str:
        if not cells[row]:
            return f"{name} is empty"
        return f"{name} {cells[row]!r} stands at {table.place(first[cells[row]])} already"

    kept = table.drop(bad, why, skips)
    return kept, list(itertools.compress(cells, ~bad))


def optional(values: Sequence[str]) -> list[str | None]:
    """Cells of a table of users: what is empty is not known."""
    return [value or None for value in values]


def object_table(columns: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """Columns of objects: pandas' own text type would turn None into nan."""
    return pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})


def _number(cell: str | None) -> float | None:
    """What Arrow takes for a number; not a number for the rest."""
    if cell is None:
        return None
    try:
        return float(pc.cast(pa.scalar(cell), pa.float64()).as_py())
    except pa.ArrowInvalid:
        return float("nan")
