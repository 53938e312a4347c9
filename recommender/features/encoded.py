"""Encoding items one by one, each only once: vectors are kept under a hash of the content and of the encoder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from filelock import FileLock

from recommender.caching import cache_folder, content_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

Ready = TypeVar("Ready")

_CHECKSUM = 32
"""Bytes of SHA-256 in front of a stored vector."""


class UnreadableError(Exception):
    """The content of one item cannot be used; the message says why. The item counts as one without the modality."""


@dataclass(frozen=True)
class Encoder(Generic[Ready]):
    """A frozen network with its preprocessing. An item's vector does not depend on its batch, up to rounding."""

    identity: str
    """All that a vector depends on: name, hash of the weights, preprocessing. Another identity is another cache."""
    dim: int
    """d, the width of a vector."""
    prepare: Callable[[bytes], Ready]
    """Content to the network's input; raises UnreadableError."""
    encode: Callable[[Sequence[Ready]], Tensor]
    """Inputs to (n, d) vectors on the CPU."""


@dataclass(frozen=True)
class Encoded:
    """What became of I items."""

    vectors: Tensor
    """(I, d) float32 as the encoder gave them, zero where not present."""
    present: Tensor
    """(I,) bool."""
    unreadable: dict[int, str]
    """Items that have content which cannot be used, and why."""


def encode_each(
    encoder: Encoder[Ready],
    items: int,
    read: Callable[[int], bytes | None],
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> Encoded:
    """Vectors of the items 0 to `items` - 1: from the cache where their content is known, from the encoder elsewhere.

    `read(item)` gives an item's content, or None if it has none, or raises UnreadableError. Every content is read once
    and a batch at a time. Two processes at once encode each content once. `progress` is told (items done, of items).
    """
    store = _Store(encoder.identity, encoder.dim)
    vectors = torch.zeros(items, encoder.dim)
    present = torch.zeros(items, dtype=torch.bool)
    unreadable: dict[int, str] = {}
    waiting: dict[str, Ready] = {}
    rows: dict[str, list[int]] = {}

    def flush() -> None:
        for key, vector in _encode(encoder, store, waiting).items():
            for item in rows[key]:
                if vector is None:
                    unreadable[item] = "the encoder's vector is zero or not finite"
                else:
                    vectors[item], present[item] = torch.from_numpy(vector), True
        waiting.clear()
        rows.clear()

    for item in range(items):
        try:
            content = read(item)
            if content is not None:
                key = content_key(content)
                if (found := store.get(key)) is not None:
                    vectors[item], present[item] = torch.from_numpy(found), True
                else:
                    if key not in waiting:
                        waiting[key] = encoder.prepare(content)
                    rows.setdefault(key, []).append(item)
        except UnreadableError as error:
            unreadable[item] = str(error)
        if len(waiting) == batch_size or item == items - 1:
            flush()
        if progress is not None:
            progress(item + 1, items)
    return Encoded(vectors, present, dict(sorted(unreadable.items())))


def weights_fingerprint(model: nn.Module) -> str:
    """A hash of every parameter and buffer: its name, type, shape and bits."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        bits = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(memoryview(bits.numpy()))
    return digest.hexdigest()


def _encode(
    encoder: Encoder[Ready], store: _Store, waiting: dict[str, Ready]
) -> dict[str, NDArray[np.float32] | None]:
    """The vector of each waiting content, None where the encoder made nothing of it; stored."""
    if not waiting:
        return {}
    with store.lock():
        # Another process may have encoded some of them while this one was reading.
        known = {key: found for key in waiting if (found := store.get(key)) is not None}
        new = [key for key in waiting if key not in known]
        result: dict[str, NDArray[np.float32] | None] = {**known}
        if new:
            made = encoder.encode([waiting[key] for key in new]).float().numpy()
            for key, vector in zip(new, made, strict=True):
                useful = bool(np.isfinite(vector).all() and vector.any())
                result[key] = vector if useful else None
                if useful:
                    store.put(key, vector)
    return result


class _Store:
    """One small file a vector, with a checksum: what is damaged is made anew, and one changed picture costs one vector."""

    def __init__(self, identity: str, dim: int) -> None:
        self._dim = dim
        self._folder = cache_folder("features") / content_key(identity)

    def lock(self) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / "encoding.lock")

    def get(self, key: str) -> NDArray[np.float32] | None:
        try:
            raw = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        checksum, vector = raw[:_CHECKSUM], raw[_CHECKSUM:]
        if checksum != hashlib.sha256(vector).digest() or len(vector) != 4 * self._dim:
            return None
        return np.frombuffer(vector, dtype="<f4").astype(np.float32)

    def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """To be called under the lock: a file that is cut off by a crash is written over by the next who needs it."""
        raw = vector.astype("<f4").tobytes()
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(hashlib.sha256(raw).digest() + raw)
        unfinished.replace(path)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key
