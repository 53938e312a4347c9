"""A model that was trained elsewhere: its vectors of users and items in a file, matched by id."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recommender.models import Batch, Inputs, ModelError, Recommender, scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NAMED = 5
"""Ids that an error names."""
_ARRAYS = ("users", "items", "user_id", "item_id")
_READING = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or strange file raises."""


@dataclass(frozen=True)
class VectorsFileConfig:
    """Where the vectors are."""

    path: str
    """A .npz of `users` (U, d) or (U, K, d) and `items` (I, d), floats, with their ids `user_id` (U,) and `item_id` (I,), as
    strings: what `recbole_vectors.py` and `python -m recommender.export --vectors` write. In any order; it may hold more users and
    items than the data."""


class VectorsFile(Recommender):
    """Scores with the vectors of a file. The user is an id: neither the history nor what was accepted changes the list."""

    Config = VectorsFileConfig

    def __init__(self, config: VectorsFileConfig, inputs: Inputs) -> None:
        super().__init__()
        inputs.require_ids("VectorsFile")
        self.config = config
        path = Path(config.path)
        arrays = _read(path)
        users = _matched(path, arrays, "user", inputs.user_ids)
        items = _matched(path, arrays, "item", inputs.item_ids)
        self.register_buffer("user_vectors", torch.from_numpy(users if users.ndim > 2 else users[:, None]))
        self.register_buffer("item_vectors", torch.from_numpy(items))
        self.user_vectors: Tensor
        self.item_vectors: Tensor

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the targets under a softmax of the scores (nothing to train)."""
        assert batch.target is not None
        return functional.cross_entropy(scores(self.users(batch), self.items()), batch.target)

    def users(self, batch: Batch) -> Tensor:
        """(B, K, d) of the file, by id."""
        return self.user_vectors[batch.user]

    def items(self) -> Tensor:
        """(I, d) of the file, by id."""
        return self.item_vectors


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    """The four arrays, of shapes that fit together; ModelError says what is wrong with the file."""
    if not path.is_file():
        raise _wrong(path, "no such file, seen from the folder that the command is run in")
    try:
        # The context also closes what is no archive.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            found = set(loaded.files) if isinstance(loaded, np.lib.npyio.NpzFile) else set()
            arrays = {name: loaded[name] for name in _ARRAYS if name in found}
    except _READING as error:
        raise _wrong(
            path, f"is no .npz of plain arrays ({error}); write ids as strings, not as objects"
        ) from error
    if missing := [name for name in _ARRAYS if name not in arrays]:
        raise _wrong(path, f"lacks {', '.join(missing)}; it should be a .npz that holds {', '.join(_ARRAYS)}")
    users, items = arrays["users"], arrays["items"]
    if users.ndim not in {2, 3} or items.ndim != 2 or users.shape[-1] != items.shape[1]:
        raise _wrong(
            path,
            f"users are {users.shape} and items {items.shape}; they should be (U, d) or (U, K, d), and (I, d) of the same d",
        )
    for name in ("user", "item"):
        vectors, ids = arrays[f"{name}s"], arrays[f"{name}_id"]
        if ids.shape != vectors.shape[:1] or ids.dtype.kind != "U":
            raise _wrong(
                path,
                f"{name}_id is {ids.dtype} {ids.shape}; it should be {len(vectors)} strings, one for each row of {name}s",
            )
        if vectors.dtype.kind != "f" or not np.isfinite(vectors).all():
            raise _wrong(
                path,
                f"{name}s hold {vectors.dtype}, or numbers that are not finite; they should be finite floats",
            )
    return arrays


def _matched(
    path: Path, arrays: dict[str, NDArray[np.generic]], name: str, wanted: Sequence[str]
) -> NDArray[np.float32]:
    """The vectors of the ids `wanted`, in their order; ModelError names those that the file lacks or holds twice."""
    ids: list[str] = arrays[f"{name}_id"].tolist()
    place = {each: row for row, each in enumerate(ids)}
    if len(place) < len(ids):
        twice = [each for row, each in enumerate(ids) if place[each] != row]
        raise _wrong(path, f"holds {_named(twice, name)} more than once")
    if missing := [each for each in wanted if each not in place]:
        raise _wrong(
            path,
            f"has no vector of {_named(missing, name)}, of {len(wanted):,}; it holds {_named(ids, name)}. Train on the data of "
            "this scenario (export_split), under their ids",
        )
    rows = [place[each] for each in wanted]
    return arrays[f"{name}s"][rows].astype(np.float32)


def _named(ids: Sequence[str], name: str) -> str:
    more = ", ..." if len(ids) > _NAMED else ""
    return f"{len(ids):,} {name}s ({', '.join(map(repr, ids[:_NAMED]))}{more})"


def _wrong(path: Path, what: str) -> ModelError:
    return ModelError(f"recommender.params.path: {path}: {what}")
