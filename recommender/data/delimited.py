"""Files of lines with separators: small tables of records, and large tables of ratings, read whole or not at all."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.data.dataset import DataError, Interactions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


class Records:
    """The lines of a small table, split into fields; the first field is a whole number that names the line.

    Raises DataError for a missing or empty file, a line without `width` fields, and an id that stands twice.
    """

    def __init__(self, path: Path, separator: str, width: int) -> None:
        self.path = path
        self._rows: list[list[str]] = []
        self._lines: list[int] = []
        seen: dict[int, int] = {}
        for number, line in enumerate(read_bytes(path).decode("latin-1").split("\n"), start=1):
            if not line.strip():
                continue
            row = line.rstrip("\r").split(separator)
            if len(row) != width:
                raise DataError(
                    f"{path}:{number}: {len(row)} fields where {width} were expected, "
                    f"with {separator!r} between them: {line[:80]!r}"
                )
            if not re.fullmatch("[0-9]{1,18}", row[0]):
                raise DataError(f"{path}:{number}: the id {row[0]!r} is not a whole number")
            if (first := seen.setdefault(int(row[0]), number)) != number:
                raise DataError(f"{path}:{number}: id {row[0]} stands on line {first} already")
            self._rows.append(row)
            self._lines.append(number)
        if not self._rows:
            raise DataError(f"{path}: the file is empty")

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, place: int) -> list[str]:
        """The field at `place` of every line."""
        return [row[place] for row in self._rows]

    def coded(self, place: int, what: str, meaning: Mapping[str, str | None]) -> list[str | None]:
        """The meaning of each code of a column; DataError for a code that has none."""
        for number, row in zip(self._lines, self._rows, strict=True):
            if row[place] not in meaning:
                raise DataError(
                    f"{self.path}:{number}: {what} {row[place]!r} is not one of {', '.join(meaning)}"
                )
        return [meaning[row[place]] for row in self._rows]

    def whole(self, place: int, what: str, low: int, high: int) -> list[str]:
        """A column of whole numbers from `low` to `high`; DataError for anything else."""
        for number, row in zip(self._lines, self._rows, strict=True):
            if not (re.fullmatch("[0-9]{1,18}", row[place]) and low <= int(row[place]) <= high):
                raise DataError(
                    f"{self.path}:{number}: {what} {row[place]!r} is not a whole number from {low} to {high}"
                )
        return self.column(place)

    def ids(self) -> NDArray[np.int64]:
        """(n,) the ids as numbers."""
        return np.array(self.column(0), dtype=np.int64)


def read_ratings(path: Path, separator: str, users: Records, items: Records) -> Interactions:
    """Lines of user, item, stars 1 to 5 and seconds, in the order of the file.

    Raises DataError with file:line for a malformed line, an id that `users` or `items` lacks, and a second rating
    of the same item by the same user.
    """
    raw = read_bytes(path)
    table = _ratings(path, raw, separator)
    user = _row_numbers(path, raw, "user", users, table[:, 0])
    item = _row_numbers(path, raw, "item", items, table[:, 1])
    _refuse_repeats(path, raw, table, user.astype(np.int64) * len(items) + item)
    return Interactions(user, item, table[:, 2].astype(np.float32), table[:, 3])


def read_bytes(path: Path) -> bytes:
    """The whole file; DataError if it is missing or cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; give the folder that holds it with --set data.path=FOLDER "
            "or set SCREENTEST_DATA to the folder above it"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _ratings(path: Path, raw: bytes, separator: str) -> NDArray[np.int64]:
    """(n, 4) integers: user, movie, rating, time. A million lines take well under a second."""
    between = separator.encode()
    # With these characters only, and four integers on every line, a line cannot be anything but a rating line.
    plain = not raw.translate(None, b"0123456789\r\n" + between) and raw.count(b"\r") == raw.count(b"\r\n")
    if plain and raw.strip():
        try:
            # pandas' fast engine takes one-character separators only.
            table = pd.read_csv(
                io.BytesIO(raw.replace(between, b"\t")), sep="\t", header=None, dtype=np.int64, quoting=3
            ).to_numpy()
            if table.shape[1] == 4 and np.isin(table[:, 2], (1, 2, 3, 4, 5)).all():
                return table
        except (ValueError, OverflowError):
            pass  # The line is named below.
    pattern = re.compile(separator.join(["[0-9]{1,18}", "[0-9]{1,18}", "0*[1-5]", "[0-9]{1,18}"]).encode())
    for number, line in _lines(raw):
        if not pattern.fullmatch(line):
            raise DataError(
                f"{path}:{number}: not a rating line 'user{separator}item{separator}1-5{separator}seconds' "
                f"of whole numbers: {line[:80].decode('latin-1')!r}; mend or remove the line"
            )
    raise DataError(f"{path}: holds no ratings")


def _lines(raw: bytes) -> list[tuple[int, bytes]]:
    """The lines that pandas reads (all but empty ones) and their numbers."""
    numbered = enumerate(raw.split(b"\n"), start=1)
    return [(number, line.removesuffix(b"\r")) for number, line in numbered if line not in {b"", b"\r"}]


def _row_numbers(
    path: Path, raw: bytes, what: str, records: Records, values: NDArray[np.int64]
) -> NDArray[np.int32]:
    known = records.ids()
    order = np.argsort(known)
    rows = order[np.searchsorted(known, values, sorter=order).clip(max=len(known) - 1)]
    wrong = np.flatnonzero(known[rows] != values)
    if len(wrong):
        number, _ = _lines(raw)[wrong[0]]
        raise DataError(f"{path}:{number}: {what} {values[wrong[0]]} is not in {records.path}")
    numbers: NDArray[np.int32] = rows.astype(np.int32)
    return numbers


def _refuse_repeats(path: Path, raw: bytes, table: NDArray[np.int64], pair: NDArray[np.int64]) -> None:
    """An item rated twice by one user could be in train and in test at once."""
    order = np.argsort(pair, kind="stable")
    again = np.flatnonzero(pair[order][1:] == pair[order][:-1])
    if len(again):
        first, second = order[again[0]], order[again[0] + 1]
        lines = _lines(raw)
        raise DataError(
            f"{path}:{lines[second][0]}: user {table[second, 0]} rated item {table[second, 1]} on line "
            f"{lines[first][0]} already; keep one of the two lines"
        )
