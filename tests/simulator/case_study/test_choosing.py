"""Which two users are told of: the farthest apart, the first of equals."""

import numpy as np
import pytest

from recommender.insight import Insight
from simulator.case_study.choosing import MOST_COMPARED, most_different


def users(*weights):
    nothing = np.zeros((1, 1), dtype=np.float32)
    return [
        Insight(np.array([[w, 0.5]], dtype=np.float32), nothing, nothing, nothing, nothing) for w in weights
    ]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((0.3, 0.9, 0.1, 0.5), (1, 2)),
        ((0.1, 0.5, 0.9, 0.9), (0, 2)),
        ((0.4, 0.4, 0.4), (0, 1)),
        ((0.4, 0.4, 0.4, 0.6), (0, 3)),
        ((0.4,) * MOST_COMPARED + (0.9,), (0, 1)),
    ],
)
def test_the_farthest_pair_is_chosen(weights, expected):
    assert most_different(users(*weights)) == expected
