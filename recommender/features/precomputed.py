"""Features that others computed: `.npz` with ids, or `.npy` in which the row number is the item id (MMRec's convention)."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from recommender.data.dataset import DataError
from recommender.features.modality import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_IDS = ("item_id", "movie_id", "id")
_FEATURES = ("feat", "features")
_READING = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or strange file raises; MemoryError where it claims to hold more than there can be."""
_ROWS = 4096
"""Rows read at a time."""


def read_features(path: Path, item_ids: Sequence[str], name: str) -> Modality:
    """The features of `item_ids` in a file, as the modality `name`.

    `.npz`: an array of ids (`item_id`, `movie_id` or `id`) and one of rows (`feat` or `features`). `.npy`: rows alone, item
    id = row number; the file is mapped, so it may be larger than memory. Any real number type is accepted. An item that is
    not in the file, or has a row of zeros there, is missing. DataError for anything else than numbers, for ids twice, and
    for NaN or infinity in a row that is used.
    """
    if path.suffix == ".npz":
        ids, table = _keyed(path)
        rows = _rows_of(path, ids, item_ids)
    elif path.suffix == ".npy":
        table = cast("NDArray[np.generic]", _load(path))
        rows = _numbered(path, item_ids, len(table) if table.ndim else 0)
    else:
        raise DataError(f"{path}: features are read from .npz or .npy files")
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(
            f"{path}: features of shape (items, width) expected, this has the shape {table.shape}"
        )
    if table.dtype.kind not in "fiu":
        raise DataError(f"{path}: features must be real numbers, these are {table.dtype}")
    vectors = np.zeros(
        (len(item_ids), table.shape[1]), dtype=np.float64 if table.dtype.itemsize > 4 else np.float32
    )
    items = np.flatnonzero(rows >= 0)
    for chunk in np.split(items, range(_ROWS, len(items), _ROWS)):
        vectors[chunk] = table[rows[chunk]]
        bad = ~np.isfinite(vectors[chunk]).all(axis=1)
        if bad.any():
            item = int(chunk[bad][0])
            raise DataError(
                f"{path}: row {rows[item]} (item {item_ids[item]}) holds NaN or infinity; mend it, or make it zeros "
                "to mark it as missing"
            )
    return Modality.of(name, torch.from_numpy(vectors), torch.from_numpy(vectors.any(axis=1)))


def _keyed(path: Path) -> tuple[list[str], NDArray[np.generic]]:
    with cast("np.lib.npyio.NpzFile", _load(path)) as archive:
        found = []
        for what, names in (("ids", _IDS), ("features", _FEATURES)):
            name = next((name for name in names if name in archive.files), None)
            if name is None:
                raise DataError(
                    f"{path}: no array of {what}; looked for {', '.join(names)}, the file has "
                    f"{', '.join(archive.files) or 'none'}"
                )
            found.append(_member(path, archive, name))
    ids, table = found
    if ids.ndim != 1 or not table.ndim or len(ids) != len(table):
        raise DataError(
            f"{path}: one id for each row expected; ids have the shape {ids.shape}, features {table.shape}"
        )
    if ids.dtype.kind not in "iuUS":
        raise DataError(f"{path}: ids must be whole numbers or words, these are {ids.dtype}")
    values = cast("list[int | str | bytes]", ids.tolist())
    return [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in values], table


def _rows_of(path: Path, ids: Sequence[str], item_ids: Sequence[str]) -> NDArray[np.int64]:
    """The row of each item, -1 where the file has none."""
    row_of = {each: row for row, each in enumerate(ids)}
    if len(row_of) < len(ids):
        first = next(row for row, each in enumerate(ids) if row_of[each] != row)
        raise DataError(f"{path}: rows {first} and {row_of[ids[first]]} both are of the id {ids[first]}")
    return np.array([row_of.get(item, -1) for item in item_ids], dtype=np.int64)


def _numbered(path: Path, item_ids: Sequence[str], rows: int) -> NDArray[np.int64]:
    for item in item_ids:
        if not (item.isascii() and item.isdecimal() and int(item) < rows):
            raise DataError(
                f"{path}: in a .npy file the row number is the item id, but item {item!r} is not a whole number "
                f"below its {rows} rows; use a .npz file with the arrays item_id and features"
            )
    return np.array([int(item) for item in item_ids], dtype=np.int64)


def _load(path: Path) -> object:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except _READING as error:
        raise _broken(path, error) from error


def _member(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> NDArray[np.generic]:
    try:
        return archive[name]
    except _READING as error:
        raise _broken(path, error, name) from error


def _broken(path: Path, error: Exception, array: str = "") -> DataError:
    where = f"{path}: {array}" if array else str(path)
    if "pickle" in str(error) or "Python objects" in str(error):
        return DataError(
            f"{where}: holds Python objects (a pickle), which could run code; save plain arrays of numbers"
        )
    return DataError(f"{where}: not a file that numpy.save or numpy.savez wrote, or cut short ({error})")
