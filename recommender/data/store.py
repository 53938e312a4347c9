"""Processed data on disk: columns that are mapped into memory, under a hash of what they were read from."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from recommender.caching import cache_folder, cached_folder, content_key
from recommender.data.dataset import Dataset, Interactions
from recommender.data.skipping import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_TUPLES = "tuples"
"""Key of the names of the columns that hold tuples."""
_COLUMNS = ("user", "item", "rating", "time")
# What readers raise on damaged files: they promise no single type.
_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, pa.ArrowException)
_SETTLED = 2.0
"""Seconds after which a file that changes again shows it by its times, however coarse the clock of the disk."""


def stored(key: Sequence[str], files: Sequence[Path], read: Callable[[], Dataset]) -> Dataset:
    """What `read()` gives, read once for each `key`, content of `files` and version of the readers' code.

    Interactions are memory-mapped and read-only: opening takes no memory and no time that grows with them.
    """
    name = content_key(_code(), *key, *(part for file in files for part in (file.name, _hash(file))))
    folder = cached_folder("data", name, lambda unfinished: _write(read(), unfinished))
    try:
        return _open(folder)
    except _DAMAGE:
        # A disk that ran full or a power cut can leave a file short of what was written.
        shutil.rmtree(folder)
        return _open(cached_folder("data", name, lambda unfinished: _write(read(), unfinished)))


def _write(dataset: Dataset, folder: Path) -> None:
    for column in _COLUMNS:
        np.save(folder / f"{column}.npy", getattr(dataset.interactions, column))
    for name, table in (("users", dataset.users), ("items", dataset.items)):
        cells = {str(column): table[column].tolist() for column in table}
        tuples = [column for column in cells if any(isinstance(cell, tuple) for cell in cells[column])]
        columns = {column: _encoded(cells[column], column in tuples) for column in cells}
        written = pa.table(columns).replace_schema_metadata({_TUPLES: json.dumps(tuples)})
        parquet.write_table(written, folder / f"{name}.parquet")
    rest = {
        "name": dataset.name,
        "synthetic": dataset.synthetic,
        "clock": dataset.clock,
        "skipped": [asdict(each) for each in dataset.skipped],
        "match_sets": dataset.match_sets,
        "domain": dataset.domain,
    }
    (folder / "dataset.json").write_text(json.dumps(rest), encoding="utf-8")


def _open(folder: Path) -> Dataset:
    rest = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    return Dataset(
        rest["name"],
        synthetic=rest["synthetic"],
        users=_table(folder / "users.parquet"),
        items=_table(folder / "items.parquet"),
        interactions=Interactions(
            *(np.load(folder / f"{column}.npy", mmap_mode="r", allow_pickle=False) for column in _COLUMNS)
        ),
        clock=rest["clock"],
        skipped=tuple(Skipped(**{**each, "first": tuple(each["first"])}) for each in rest["skipped"]),
        match_sets=tuple(tuple(map(tuple, outfit)) for outfit in rest["match_sets"]),
        domain=rest["domain"],
    )


def _encoded(cells: list[object], tuples: bool) -> pa.Array:
    """A column of text and None, or of tuples as JSON; as codes where cells repeat, which opens in a fraction of the time."""
    column = pa.array([json.dumps(cell) for cell in cells] if tuples else cells, pa.string())
    codes = column.dictionary_encode()
    return codes if tuples or 2 * len(codes.dictionary) < len(cells) else column


def _table(path: Path) -> pd.DataFrame:
    columns = parquet.read_table(path)
    tuples = json.loads(columns.schema.metadata[_TUPLES.encode()])
    return pd.DataFrame(
        {
            name: pd.Series(_decoded(column, name in tuples), dtype=object)
            for name, column in zip(columns.column_names, columns.columns, strict=True)
        }
    )


def _decoded(column: pa.ChunkedArray, tuples: bool) -> NDArray[np.object_]:
    """The cells of `_encoded`."""
    if not pa.types.is_dictionary(column.type):
        plain: NDArray[np.object_] = column.to_numpy()
        return plain
    codes = column.unify_dictionaries().combine_chunks()
    texts = codes.dictionary.to_pylist()
    # One place more, for codes that are null.
    distinct = np.full(len(texts) + 1, None, dtype=object)
    for place, text in enumerate(texts):
        distinct[place] = tuple(json.loads(text)) if tuples else text
    cells: NDArray[np.object_] = distinct[codes.indices.fill_null(len(texts)).to_numpy()]
    return cells


def _code() -> str:
    """A hash of the readers' code: what an older version read is not taken for what this one would read."""
    return content_key(*(module.read_bytes() for module in sorted(Path(__file__).parent.glob("*.py"))))


def _hash(path: Path) -> str:
    """Of a file its content; of a folder the names in it and below, since of pictures only the places are kept."""
    if not path.is_dir():
        return _file_hash(path)
    return content_key(*sorted(str(each.relative_to(path)) for each in path.rglob("*")))


def _file_hash(path: Path) -> str:
    """The SHA-256 of a file; remembered for as long as its size, times and place on the disk stay the same."""
    state = path.stat()
    seen = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev]
    memo = cache_folder("hashes") / f"{content_key(str(path.resolve()))}.json"
    try:
        known = json.loads(memo.read_text(encoding="utf-8"))
        if known["seen"] == seen:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # Not remembered, or not readable: computed below and written anew.
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - state.st_ctime > _SETTLED:
        memo.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=memo.parent, delete=False) as new:
            json.dump({"seen": seen, "sha256": digest}, new)
        Path(new.name).replace(memo)
    return digest
