"""Random numbers keyed by what they are for, so that no result depends on the order things happen in."""

from __future__ import annotations

import hashlib

import numpy as np


def keyed_generator(seed: int, purpose: str, *key: str | int) -> np.random.Generator:
    """A counter-based generator that is a function of its arguments alone (no process, no call order)."""
    name = "\x1f".join([str(seed), purpose, *(str(part) for part in key)])
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
