"""Where data come from: one loader by name, every reader to one Dataset."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.data.atomic import read_atomic, write_atomic
from recommender.data.dataset import DataError, Dataset, Interactions
from recommender.data.described import read_described
from recommender.data.embedded import generate
from recommender.data.movielens import read_ml1m, read_ml100k
from recommender.data.movielens_csv import read_movielens_csv

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DataError", "Dataset", "Interactions", "load", "write_atomic"]

_NAMED: dict[str, Callable[[Path], Dataset]] = {
    "ml-1m": read_ml1m,
    "ml-100k": read_ml100k,
    "ml-20m": partial(read_movielens_csv, name="MovieLens-20M"),
    "ml-25m": partial(read_movielens_csv, name="MovieLens-25M"),
    "ml-32m": partial(read_movielens_csv, name="MovieLens-32M"),
    "ml-latest": partial(read_movielens_csv, name="MovieLens-latest"),
    "ml-latest-small": partial(read_movielens_csv, name="MovieLens-latest-small"),
}
"""Data sets that have a folder of their name."""
_FORMATS: dict[str, Callable[[Path], Dataset]] = {"atomic": read_atomic, "table": read_described}
"""Formats of many data sets: only a path says which."""


def load(source: str, path: Path | None = None, seed: int = 0) -> Dataset:
    """The data set `source`: "embedded", a MovieLens release ("ml-1m" ...), or "atomic" or "table" data at `path`.

    Files are read from `path`, or from the folder `source` inside the folder that SCREENTEST_DATA names;
    `seed` is the embedded generator's. Raises DataError where neither is given or a file is wrong.
    """
    if source == "embedded":
        return generate(seed).dataset
    readers = _NAMED | _FORMATS
    if source not in readers:
        raise DataError(f"unknown data source {source!r}; known are embedded, {', '.join(readers)}")
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
    return readers[source](path)
