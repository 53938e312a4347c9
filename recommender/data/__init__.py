"""Where data come from: one loader by name, every reader to one Dataset."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.caching import CacheFolderError
from recommender.data.amazon import (
    amazon_2014_files,
    amazon_2023_files,
    read_amazon_2014,
    read_amazon_2023,
)
from recommender.data.atomic import atomic_files, read_atomic, write_atomic
from recommender.data.dataset import DataError, Dataset, Interactions
from recommender.data.described import described_files, read_described
from recommender.data.embedded import generate
from recommender.data.movielens import read_ml1m, read_ml100k
from recommender.data.movielens_csv import read_movielens_csv
from recommender.data.skipping import TOLERANCE
from recommender.data.store import stored
from recommender.data.taobao import read_taobao, taobao_files
from recommender.data.text_files import refuse_endless

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CacheFolderError", "DataError", "Dataset", "Interactions", "load", "write_atomic"]


@dataclass(frozen=True)
class _Source:
    read: Callable[[Path, float], Dataset]
    files: Callable[[Path], list[Path]]
    """What `read` reads; a file that is missing is for `read` to complain of."""


def _inside(*names: str) -> Callable[[Path], list[Path]]:
    return lambda folder: [folder / name for name in names]


def _csv_release(name: str) -> _Source:
    return _Source(partial(read_movielens_csv, name=name), _inside("ratings.csv", "movies.csv"))


_NAMED: dict[str, _Source] = {
    "amazon-2014": _Source(read_amazon_2014, amazon_2014_files),
    "amazon-2023": _Source(read_amazon_2023, amazon_2023_files),
    "ml-1m": _Source(read_ml1m, _inside("ratings.dat", "users.dat", "movies.dat")),
    "ml-100k": _Source(read_ml100k, _inside("u.data", "u.user", "u.item")),
    "ml-20m": _csv_release("MovieLens-20M"),
    "ml-25m": _csv_release("MovieLens-25M"),
    "ml-32m": _csv_release("MovieLens-32M"),
    "ml-latest": _csv_release("MovieLens-latest"),
    "ml-latest-small": _csv_release("MovieLens-latest-small"),
    "taobao-fashion": _Source(read_taobao, taobao_files),
}
"""Data sets that have a folder of their name."""
_FORMATS: dict[str, _Source] = {
    "atomic": _Source(read_atomic, atomic_files),
    "table": _Source(read_described, described_files),
}
"""Formats of many data sets: only a path says which."""


def load(
    source: str,
    path: Path | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    generated_users: int = 600,
) -> Dataset:
    """The data set `source`: "embedded", a release of MovieLens, Amazon or Taobao, or "atomic" or "table" data at `path`.

    Files are read from `path`, or from the folder `source` inside the folder that SCREENTEST_DATA names; what was read
    once is opened from the cache as long as the files stay the same. `seed` and `generated_users` are the embedded generator's, `tolerance` the
    share of malformed lines up to which a file is read without them. Raises DataError where neither path nor folder is
    given or a file is wrong.
    """
    if source == "embedded":
        return generate(seed, generated_users, ratings=generated_users * 200 // 3).dataset
    known = _NAMED | _FORMATS
    if source not in known:
        raise DataError(f"unknown data source {source!r}; known are embedded, {', '.join(known)}")
    if path is None:
        root = os.environ.get("SCREENTEST_DATA")
        if source in _FORMATS:
            raise DataError(f"data.source is {source} but data.path is not given: use --set data.path=PATH")
        if not root:
            raise DataError(
                f"data.source is {source} but no folder is given: use --set data.path=FOLDER, "
                f"or set SCREENTEST_DATA to a folder that holds {source}/"
            )
        path = Path(root) / source
    read, files = known[source].read, known[source].files(path)
    for file in files:
        refuse_endless(file)
    if not all(file.exists() for file in files):
        return read(path, tolerance)
    return stored(
        (source, str(path), str(path.resolve()), repr(tolerance)), files, lambda: read(path, tolerance)
    )
