"""Random numbers keyed by what they are for, so that no result depends on the order things happen in."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from typing import cast

import numpy as np


def keyed_generator(seed: int, purpose: str, *key: str | int) -> np.random.Generator:
    """A counter-based generator that is a function of its arguments alone (no process, no call order)."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, purpose, key), "little")))


def keyed_uniform(seed: int, purpose: str, *key: str | int) -> float:
    """A number of [0, 1) that is a function of its arguments alone; a draw of its own costs a hash, no generator."""
    return (int.from_bytes(_digest(seed, purpose, key)[:8], "little") >> 11) / (1 << 53)


@lru_cache(maxsize=1 << 16)
def keyed_permutation(size: int, seed: int, purpose: str, *key: str | int) -> tuple[int, ...]:
    """What `keyed_generator(seed, purpose, *key).permutation(size)` gives; the arms of a study ask for the same ones."""
    # Setting the state of one generator takes a third of the time that making another does.
    if not hasattr(_own, "generator"):
        _own.generator = np.random.Generator(np.random.Philox(key=0))
        _own.fresh = _own.generator.bit_generator.state
    words = np.frombuffer(_digest(seed, purpose, key), dtype="<u8")
    generator = cast("np.random.Generator", _own.generator)
    generator.bit_generator.state = {**_own.fresh, "state": {**_own.fresh["state"], "key": words}}
    return tuple(generator.permutation(size).tolist())


_own = threading.local()


def _digest(seed: int, purpose: str, key: tuple[str | int, ...]) -> bytes:
    name = "\x1f".join([str(seed), purpose, *map(str, key)])
    return hashlib.blake2b(name.encode(), digest_size=16).digest()
