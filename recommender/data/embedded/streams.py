"""Independent random streams, one a purpose, so that more posters or items never move anyone's ratings."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for. Numbers are part of the data: never reuse or renumber one."""

    TITLES = 1
    CONTENT = 2
    APPEAL = 3
    PEOPLE = 4
    INTERESTS = 5
    HISTORIES = 6
    CHOICES = 7
    CLOCK = 8
    STARS = 9
    POSTERS = 10


def stream(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """The generator of (seed, purpose, key): always PCG64, whatever NumPy's default becomes."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(purpose), *key])))


def stratified(random: np.random.Generator, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """`size` numbers in (0, 1), one in each of `size` equal strata, in random order.

    Feeding these to an inverse distribution keeps shares within one of their expectation for any seed.
    """
    places: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        random.permutation(size) + random.uniform(0.05, 0.95, size)
    ) / size
    return places
