"""Text files of any size, plain or gzip, read line by line in bounded memory."""

from __future__ import annotations

import gzip
import io
import zlib
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from recommender.data.dataset import DataError
from recommender.data.skipping import TOLERANCE, Skips

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recommender.data.skipping import Skipped

_LONGEST = 2**24
"""Bytes of the longest line that is kept: a few KiB of gzip can hold a line that fits into no memory."""
_BUFFER = 2**18
_BOM = b"\xef\xbb\xbf"


class LineFile:
    """The lines of a file, gzip if its name ends in ".gz", and what was left out of it.

    Iterating gives line numbers from 1 and lines with their line ends, without blank lines; a line beyond 16 MiB is
    counted as malformed and not given. DataError for a file that is missing, cannot be read, or is not a whole gzip file.
    """

    def __init__(self, path: Path, tolerance: float = TOLERANCE) -> None:
        self.path = path
        self.rows = 0
        """Lines met so far that are not blank."""
        self.skips = Skips(path, tolerance)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self._open() as file:
                yield from self._lines(file)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file; give the file or its folder as data.path") from None
        except EOFError:
            raise DataError(f"{self.path}: the file is cut short; download it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self.path}: is not a whole gzip file ({error}); download it again") from error
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror or error})") from error

    def place(self, number: int) -> str:
        """How messages name a line."""
        return f"{self.path}:{number}"

    def malformed(self, number: int, what: str) -> None:
        """Count a line that cannot be used; `what` says why."""
        self.skips.malformed([f"{self.place(number)}: {what}"])

    def unreadable(self, number: int, line: bytes, what: str) -> None:
        """Count a line that is not in the format of the file.

        DataError if it has no line end either: then a download broke off inside the last line, and nobody knows how
        many lines are missing. That lines before it are beyond the tolerance is said first.
        """
        if not line.endswith(b"\n"):
            self.close()  # where most lines are wrong, the file is of another kind and not cut
            raise DataError(
                f"{self.place(number)}: the file ends inside a line ({what}), so it is cut short; download it again"
            )
        self.malformed(number, what)

    def close(self) -> tuple[Skipped, ...]:
        """What was left out, after all lines were read; DataError if it is beyond the tolerance."""
        return self.skips.close(self.rows)

    def _open(self) -> BinaryIO:
        if self.path.suffix == ".gz":
            # GzipFile reads lines in Python; the buffer around it in C.
            return io.BufferedReader(cast("io.RawIOBase", gzip.open(self.path)), _BUFFER)
        return self.path.open("rb", _BUFFER)

    def _lines(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        pieces = iter(partial(file.readline, _LONGEST), b"")
        for number, line in enumerate(pieces, start=1):
            if line.isspace():
                continue
            self.rows += 1
            if len(line) == _LONGEST and not line.endswith(b"\n"):
                self.malformed(number, f"a line of more than {_LONGEST:,} bytes")
                next((piece for piece in pieces if piece.endswith(b"\n")), None)
                continue
            yield number, line.removeprefix(_BOM) if number == 1 else line
