"""Text of lines and cells: parsed fast, block by block, and read slowly again to name the lines that are wrong."""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections import deque
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from recommender.data.dataset import DataError
from recommender.data.tables import Table
from recommender.data.utf8 import SUBSTITUTE, Utf8Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from recommender.data.skipping import Skips

_BLOCK = 2**26
"""Bytes that are parsed at a time; a longer line cannot be read."""
_OPEN_QUOTE = "a quotation mark is not closed, or not doubled inside quotes"
_UNIT = "\x1f"
"""ASCII's own separator stands in for one of several characters, which the fast parser cannot take."""


class TextFile:
    """Lines of cells with `separator` between them; the first line names the columns unless `names` does.

    `quoted`: a cell may stand in double quotes, and then hold separators and line ends (RFC 4180); otherwise a quotation
    mark is a character like any other. Empty lines are left out. Raises DataError for a file that is missing, empty or
    not a text of the encoding, and for a column that is named twice.
    """

    def __init__(
        self,
        path: Path,
        separator: str,
        *,
        quoted: bool,
        names: tuple[str, ...] | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.path = path
        self._separator = separator
        self._quoted = quoted
        self._headed = names is None
        self._whole: bytes | None = None
        if encoding != "utf-8" or len(separator) > 1:
            raw = read_bytes(path)
            # Whoever wrote a byte order mark wrote UTF-8, whatever the format says.
            if encoding != "utf-8" and not raw.startswith(codecs.BOM_UTF8):
                raw = raw.decode(encoding).encode()
            self._whole = raw.replace(separator.encode(), _UNIT.encode())
            self._separator = _UNIT
        self._shown_separator = separator
        with self._bytes() as stream:
            start = stream.read(_BLOCK)
        if not start.strip():
            raise DataError(f"{path}: the file is empty")
        self.names = self._header(start) if names is None else names

    def tables(self, skips: Skips) -> Iterator[Table]:
        """The rows in blocks of some MiB; lines that cannot be rows are left out and told to `skips`."""
        invalid = 0

        def left_out(_row: object) -> str:
            nonlocal invalid
            invalid += 1
            return "skip"

        quotes = arrow_csv.ParseOptions(
            delimiter=self._separator,
            quote_char='"' if self._quoted else False,
            newlines_in_values=self._quoted,
            invalid_row_handler=left_out,
        )
        kinds = arrow_csv.ConvertOptions(column_types=dict.fromkeys(self.names, pa.string()))
        blocks = arrow_csv.ReadOptions(
            block_size=_BLOCK, column_names=None if self._headed else list(self.names)
        )
        row = 0
        checked = not self._quoted
        try:
            # Opened by us: Arrow would unpack a file by the end of its name.
            # One line that is not UTF-8 must not make a whole file unreadable.
            with (
                Utf8Stream(self._bytes()) as stream,
                arrow_csv.open_csv(stream, blocks, quotes, kinds) as batches,
            ):
                for batch in batches:
                    columns = pa.Table.from_batches([batch])
                    # A quotation mark left open swallows the lines after it without any error of the fast parser.
                    if not checked and (invalid or _holds_line_end(columns)):
                        self._refuse_open_quotes()
                        checked = True
                    table = Table(self, columns, np.arange(row, row + len(columns), dtype=np.int64))
                    row += len(columns)
                    yield _without_lost_characters(table, skips) if stream.substituted else table
        except pa.ArrowInvalid as error:
            self._refuse_long_line()
            if self._quoted:
                self._refuse_open_quotes()
            raise DataError(f"{self.path}: cannot be read: {error}") from error
        if invalid and not checked:
            self._refuse_open_quotes()
        self._refuse_cut(invalid)
        if invalid:
            skips.malformed(self._wrong_lines(), invalid)

    def places(self, rows: Sequence[int]) -> list[str]:
        """file:line of rows (increasing) as `tables` numbers them."""
        wanted = iter(rows)
        found: list[str] = []
        row = next(wanted, None)
        for number, line in enumerate(self._well_formed()):
            while number == row:
                found.append(f"{self.path}:{line}")
                row = next(wanted, None)
            if row is None:
                break
        return found

    def _header(self, start: bytes) -> tuple[str, ...]:
        try:
            start.split(b"\n", 1)[0].decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path}:1: byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8"
            ) from None
        begin, names = next(self._lines())
        if not names:
            raise DataError(f"{self.path}:{begin}: {_OPEN_QUOTE}")
        twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
        if twice is not None:
            raise DataError(f"{self.path}:1: column {twice!r} is named twice")
        return tuple(names)

    def _well_formed(self) -> Iterator[int]:
        """The line on which each row begins."""
        for line, cells in self._data_lines():
            if not cells:
                raise DataError(f"{self.path}:{line}: {_OPEN_QUOTE}")
            if len(cells) == len(self.names):
                yield line

    def _refuse_long_line(self) -> None:
        with self._bytes() as file:
            for number, line in enumerate(iter(partial(file.readline, _BLOCK), b""), start=1):
                if len(line) == _BLOCK:
                    raise DataError(
                        f"{self.path}:{number}: the line is longer than {_BLOCK:,} bytes; mend or remove it"
                    )

    def _refuse_cut(self, invalid: int) -> None:
        """DataError if the last line has no end and is no row, or is filled up with zeros as after a power cut.

        Nobody knows how many lines are missing behind it. `invalid` is how many lines are no rows.
        """
        with self._bytes() as file:
            file.seek(-1, io.SEEK_END)
            last = file.read()
        if last in b"\r\n" or not (invalid or last == b"\0"):
            return
        line, cells = deque(self._lines(), maxlen=1).pop()
        if last == b"\0" or len(cells) != len(self.names):
            cut = f"{self.path}:{line}: the file ends inside a line, so it is cut short; get the whole file"
            raise DataError("\n".join([*islice(self._wrong_lines(), 1), cut]))

    def _refuse_open_quotes(self) -> None:
        for line, cells in self._lines():
            if not cells:
                raise DataError(f"{self.path}:{line}: {_OPEN_QUOTE}")

    def _wrong_lines(self) -> Iterator[str]:
        """What is wrong with lines of too many or too few cells."""
        for line, cells in self._data_lines():
            if len(cells) != len(self.names):
                yield (
                    f"{self.path}:{line}: {len(cells)} cells where {len(self.names)} were expected, "
                    f"with {self._shown_separator!r} between them: {self._shown_separator.join(cells)[:80]!r}"
                )

    def _data_lines(self) -> Iterator[tuple[int, list[str]]]:
        lines = self._lines()
        if self._headed:
            next(lines)
        return lines

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """The line each row begins on, and its cells; one without cells where quotation marks are wrong."""
        with self._text() as text:
            if not self._quoted:
                for number, line in enumerate(text, start=1):
                    if bare := line.rstrip("\r\n"):
                        yield number, bare.split(self._separator)
                return
            rows = csv.reader(text, delimiter=self._separator, strict=True)
            while True:
                begin = rows.line_num + 1
                limit = csv.field_size_limit(sys.maxsize)
                try:
                    row = next(rows)
                except StopIteration:
                    return
                except csv.Error:
                    yield begin, []
                    return
                finally:
                    csv.field_size_limit(limit)
                if row:
                    yield begin, row

    def _bytes(self) -> io.BufferedIOBase:
        if self._whole is not None:
            return io.BytesIO(self._whole)
        refuse_endless(self.path)
        try:
            return self.path.open("rb")
        except OSError as error:
            raise unreadable(self.path, error) from None

    def _text(self) -> TextIO:
        return io.TextIOWrapper(self._bytes(), encoding="utf-8-sig", errors="replace", newline="")  # type: ignore[type-var]


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The whole file or its first `most` bytes; DataError if it is missing or cannot be read."""
    refuse_endless(path)
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise unreadable(path, error) from None


def refuse_endless(path: Path) -> None:
    """DataError for a pipe or a device: reading one may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(f"{path}: is a pipe or a device; give a file")


def unreadable(path: Path, error: OSError) -> DataError:
    """What to say of a file that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return DataError(
            f"{path}: no such file; give the folder that holds it with --set data.path=FOLDER "
            "or set SCREENTEST_DATA to the folder above it"
        )
    return DataError(f"{path}: cannot be read ({error.strerror})")


def _without_lost_characters(table: Table, skips: Skips) -> Table:
    """The table without the rows in which a byte is no part of UTF-8."""
    lost = np.zeros(len(table), dtype=bool)
    for column in table.columns.columns:
        lost |= pc.match_substring(column, SUBSTITUTE).to_numpy()
    return table.drop(lost, lambda row: "the line is not UTF-8; save the file as UTF-8", skips)


def _holds_line_end(columns: pa.Table) -> bool:
    return any(pc.any(pc.match_substring(column, "\n")).as_py() for column in columns.columns)
