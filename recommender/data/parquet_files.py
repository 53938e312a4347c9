"""Parquet as a source of tables; a row is named by its number, counted from 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from recommender.data.dataset import DataError
from recommender.data.tables import Table
from recommender.data.text_files import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from recommender.data.skipping import Skips

_ROWS = 2**20


class ParquetFile:
    """A Parquet file, read some row groups at a time; DataError if it is missing or not whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = parquet.ParquetFile(path)
        except FileNotFoundError as error:
            raise unreadable(path, error) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path}: is not a whole Parquet file: {error}") from error
        self.names = tuple(self._file.schema_arrow.names)
        twice = next((name for n, name in enumerate(self.names) if name in self.names[:n]), None)
        if twice is not None:
            raise DataError(f"{path}: column {twice!r} is named twice")

    def tables(self, skips: Skips) -> Iterator[Table]:
        """The rows in blocks."""
        row = 0
        try:
            for batch in self._file.iter_batches(_ROWS):
                columns = pa.Table.from_batches([batch])
                yield Table(self, columns, np.arange(row, row + len(columns), dtype=np.int64))
                row += len(columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.path}: is not a whole Parquet file: {error}") from error

    def places(self, rows: Sequence[int]) -> list[str]:
        """The numbers of rows."""
        return [f"{self.path}: row {row + 1}" for row in rows]
