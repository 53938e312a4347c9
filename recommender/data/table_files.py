"""Text with a header line, and Parquet: files read fast into a Table, and slowly again to name the line that is wrong."""

from __future__ import annotations

import csv
import io
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from recommender.data.dataset import DataError
from recommender.data.delimited import read_bytes
from recommender.data.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BLOCK = 2**24
"""Bytes that are parsed at a time; a longer line cannot be read."""
_OPEN_QUOTE = "a quotation mark is not closed, or not doubled inside quotes"


def read_text(path: Path, separator: str, *, quoted: bool) -> Table:
    """Lines of cells with `separator` between them, UTF-8, the first line names the columns.

    `quoted`: a cell may stand in double quotes, and then hold separators and line ends (RFC 4180); otherwise a
    quotation mark is a character like any other. Empty lines are left out. DataError with file:line for a line with
    more or fewer cells than the header, bytes that are not UTF-8, a quotation mark that is not closed, and a column
    that is named twice; and for a file that is missing or empty.
    """
    raw = read_bytes(path)
    if not raw.strip():
        raise DataError(f"{path}: the file is empty")
    _refuse_other_encodings(path, raw.split(b"\n", 1)[:1])
    begin, names = next(_lines(raw, separator, quoted=quoted))
    if not names:
        raise DataError(f"{path}:{begin}: {_OPEN_QUOTE}")
    _refuse_twins(path, names)

    def place(row: int) -> str:
        lines = _lines(raw, separator, quoted=quoted)
        return f"{path}:{next(line for n, (line, _) in enumerate(lines) if n == row + 1)}"

    try:
        columns = arrow_csv.read_csv(
            pa.BufferReader(raw),
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, quote_char='"' if quoted else False, newlines_in_values=quoted
            ),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid as error:
        _refuse_lines(path, raw, separator, len(names), quoted=quoted)
        raise DataError(f"{path}: cannot be read: {error}") from error
    # A quotation mark left open swallows the lines after it without any error of the fast parser.
    if quoted and any(pc.any(pc.match_substring(column, "\n")).as_py() for column in columns.columns):
        _refuse_lines(path, raw, separator, len(names), quoted=quoted)
    return Table(path, columns, place)


def read_parquet(path: Path) -> Table:
    """A Parquet file; a row is named by its number, counted from 1."""
    try:
        columns = parquet.read_table(io.BytesIO(read_bytes(path)))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: is not a whole Parquet file: {error}") from error
    _refuse_twins(path, columns.column_names)
    return Table(path, columns, lambda row: f"{path}: row {row + 1}")


def _lines(raw: bytes, separator: str, *, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """The line each row begins on, and its cells; one without cells where quotation marks are wrong."""
    text = io.StringIO(raw.decode("utf-8-sig", errors="replace"), newline="")
    if not quoted:
        for number, line in enumerate(text, start=1):
            if bare := line.rstrip("\r\n"):
                yield number, bare.split(separator)
        return
    rows = csv.reader(text, delimiter=separator, strict=True)
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


def _refuse_lines(path: Path, raw: bytes, separator: str, width: int, *, quoted: bool) -> None:
    """DataError for the first line that is malformed, if one is."""
    for number, row in _lines(raw, separator, quoted=quoted):
        if not row:
            raise DataError(f"{path}:{number}: {_OPEN_QUOTE}")
        if len(row) != width:
            raise DataError(
                f"{path}:{number}: {len(row)} cells where the header names {width}, "
                f"with {separator!r} between them: {separator.join(row)[:80]!r}"
            )
    _refuse_other_encodings(path, raw.split(b"\n"))


def _refuse_other_encodings(path: Path, lines: Sequence[bytes]) -> None:
    for number, line in enumerate(lines, start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}:{number}: byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8"
            ) from None


def _refuse_twins(path: Path, names: Sequence[str]) -> None:
    twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if twice is not None:
        raise DataError(f"{path}:1: column {twice!r} is named twice")
