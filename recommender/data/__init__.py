"""Where data come from: one loader by name, every reader to one Dataset."""

from __future__ import annotations

import os
from pathlib import Path

from recommender.data.dataset import DataError, Dataset, Interactions
from recommender.data.embedded import generate
from recommender.data.movielens import read_ml1m, read_ml100k

__all__ = ["DataError", "Dataset", "Interactions", "load"]

_READERS = {"ml-1m": read_ml1m, "ml-100k": read_ml100k}


def load(source: str, path: Path | None = None, seed: int = 0) -> Dataset:
    """The data set `source` ("embedded", "ml-1m", "ml-100k").

    Files are read from `path`, or from the folder `source` inside the folder that SCREENTEST_DATA names;
    `seed` is the embedded generator's. Raises DataError where neither is given or a file is wrong.
    """
    if source == "embedded":
        return generate(seed).dataset
    if source not in _READERS:
        raise DataError(f"unknown data source {source!r}; known are embedded, {', '.join(_READERS)}")
    if path is None:
        root = os.environ.get("SCREENTEST_DATA")
        if not root:
            raise DataError(
                f"data.source is {source} but no folder is given: use --set data.path=FOLDER, "
                f"or set SCREENTEST_DATA to a folder that holds {source}/"
            )
        path = Path(root) / source
    return _READERS[source](path)
