"""Which two users a case study is about, where nobody names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import pdist, squareform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.insight import Insight

MOST_COMPARED = 2_000
"""Users, in the order of the run, among whom two are chosen: distances are between all pairs."""
RULE = "the two whose profile weights (Eq. 9) are farthest apart, by Euclidean distance over interests and fields"


def most_different(insights: Sequence[Insight]) -> tuple[int, int]:
    """Places of the two users, of two at least, whose weights x_k differ most, in order; of equal pairs the first."""
    weights = np.stack([each.weights.ravel() for each in insights[:MOST_COMPARED]]).astype(np.float64)
    apart = squareform(pdist(weights))
    # The upper half, row by row, so that of equal distances the first pair is found.
    first, second = divmod(int(np.triu(apart, 1).argmax()), len(apart))
    return (first, second) if second > first else (0, 1)
