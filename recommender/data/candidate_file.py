"""Sampled candidates as a Parquet file that any program can read: `user_id`, `item_id`, `target`, one row an item.

A user's rows stand together, the target first. The file's metadata name the data set, a hash of the split, the phase and the
seed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recommender.data.candidates import Candidates, taken_by
from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from recommender.data.splitting import Split

_COLUMNS = ("user_id", "item_id", "target")
_KEYS = ("screentest.data", "screentest.split", "screentest.phase", "screentest.seed")


def save_candidates(candidates: Candidates, split: Split, path: Path) -> None:
    """Write `candidates`, drawn from `split`, to the file `path`."""
    wide = candidates.item.shape[1]
    target = np.zeros(candidates.item.shape, dtype=bool)
    target[:, 0] = True
    table = pa.table(
        {
            "user_id": _named(np.repeat(candidates.user, wide), split.dataset.users["user_id"]),
            "item_id": _named(candidates.item.ravel(), split.dataset.items["item_id"]),
            "target": target.ravel(),
        }
    )
    values = (split.dataset.label, _fingerprint(split), candidates.phase, str(candidates.seed))
    pq.write_table(table.replace_schema_metadata(dict(zip(_KEYS, values, strict=True))), path)


def load_candidates(path: Path, split: Split) -> Candidates:
    """Read what `save_candidates` wrote and check it against `split`.

    Raises DataError for a file that cannot be read, that was drawn from other data or another split, or whose rows are
    not each user's target of the split and then negatives that the user has in no part of it.
    """
    table, about = _read(path)
    data, fingerprint, phase, seed = (about[key] for key in _KEYS)
    if fingerprint != _fingerprint(split):
        raise DataError(
            f"{path}: these candidates were drawn from {data} with other filters or another split, or from other data; "
            f"draw new ones from {split.dataset.label}, or prepare it as they were"
        )
    users = _numbers(path, table["user_id"], split.dataset.users["user_id"])
    items = _numbers(path, table["item_id"], split.dataset.items["item_id"])
    count = len(split.targets(phase))
    if len(users) % count:
        raise DataError(f"{path}: {len(users)} rows are not the same number for each of {count} users")
    user, item = users.reshape(count, -1), items.reshape(count, -1)
    target = table["target"].to_numpy().reshape(count, -1)
    together = (user == user[:, :1]).all() and target[:, 0].all() and not target[:, 1:].any()
    if not together or (np.diff(np.sort(item, axis=1)) == 0).any():
        raise DataError(
            f"{path}: the rows are not, user by user, the target and then negatives, each item once"
        )
    order = np.argsort(user[:, 0], kind="stable")
    candidates = Candidates(phase, int(seed), user[order, 0], item[order])
    try:
        candidates.require(split.targets(phase))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    for row, taken in enumerate(taken_by(split, split.targets(phase).user)):
        if np.isin(candidates.item[row, 1:], taken).any():
            name = split.dataset.users["user_id"][candidates.user[row]]
            raise DataError(f"{path}: a negative of user {name} is an item that the user has taken")
    return candidates


def _read(path: Path) -> tuple[pa.Table, dict[str, str]]:
    try:
        table = pq.read_table(path, read_dictionary=["user_id", "item_id"])
    except OSError as error:
        raise DataError(f"{path}: the candidates cannot be read ({error})") from error
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a file of candidates: {error}") from error
    about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if tuple(table.column_names) != _COLUMNS or not about.keys() >= set(_KEYS):
        raise DataError(
            f"{path}: not a file of candidates: it has the columns {', '.join(table.column_names)}"
        )
    return table, about


def _named(numbers: NDArray[np.int64], names: pd.Series[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(numbers.astype(np.int32), pa.array(names, pa.string()))


def _numbers(path: Path, column: pa.ChunkedArray, names: pd.Series[str]) -> NDArray[np.int64]:
    """The row number of each id of a dictionary-encoded column."""
    encoded = column.unify_dictionaries().combine_chunks()
    ids = encoded.dictionary.to_numpy(zero_copy_only=False)
    number = pd.Index(names).get_indexer(ids)
    if (number < 0).any():
        raise DataError(f"{path}: {names.name} {ids[number < 0][0]!r} is not in the data")
    found: NDArray[np.int64] = number[encoded.indices.to_numpy()]
    return found


def _fingerprint(split: Split) -> str:
    """A hash of who took what in which part, and of the catalogue, by id."""
    digest = hashlib.sha256()
    for names in (split.dataset.users["user_id"], split.dataset.items["item_id"]):
        digest.update("\0".join(names).encode() + b"\0\0")
    for part in (split.train, split.validation, split.test):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(part.user).data)
        digest.update(np.ascontiguousarray(part.item).data)
    return digest.hexdigest()
