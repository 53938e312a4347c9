import math

import numpy as np
import pytest
from recommender_doubles import interactions

from recommender.data.histories import Histories
from recommender.evaluation import Ranking
from recommender.exposure import exposure

# Taken in train: item 0 three times, item 1 twice, item 2 once, item 3 never.
TRAIN = Histories.of(
    interactions([(0, 0, 5, 0), (0, 1, 5, 1), (1, 0, 5, 0), (1, 1, 5, 1), (2, 0, 5, 0), (2, 2, 5, 1)]), 4
)


def shown(*lists):
    """Users 0, 1 ... are shown these; None is a place that stays empty."""
    item = np.array([[0 if i is None else i for i in row] for row in lists])
    score = np.array([[-np.inf if i is None else -float(n) for n, i in enumerate(row)] for row in lists])
    return Ranking(np.arange(len(lists)), item, score.astype(np.float32))


def test_it_is_what_the_definitions_say():
    found = exposure(shown([2, 3], [2, 0]), TRAIN, 4, [1, 2])
    assert found["coverage@1"] == 1 / 4
    assert found["coverage@2"] == 3 / 4
    # All of two places to one of four items; then times 0, 1, 1, 2.
    assert found["gini@1"] == pytest.approx(3 / 4)
    assert found["gini@2"] == pytest.approx(2 * (0 + 2 * 1 + 3 * 1 + 4 * 2) / (4 * 4) - 5 / 4)
    assert found["novelty@1"] == pytest.approx(-math.log2(2 / 10))
    assert found["novelty@2"] == pytest.approx(
        -(2 * math.log2(2 / 10) + math.log2(1 / 10) + math.log2(4 / 10)) / 4
    )
    # Both took items of popularity 3 and 2.
    assert found["popularity_lift@1"] == pytest.approx(1 / 2.5)
    assert found["popularity_lift@2"] == pytest.approx((0.5 + 2) / 5)


def test_everything_equally_often_has_no_inequality():
    assert exposure(shown([0, 1], [2, 3]), TRAIN, 4, [2])["gini@2"] == pytest.approx(0)


def test_places_where_the_catalogue_has_run_out_show_nothing():
    assert exposure(shown([2, None], [2, None]), TRAIN, 4, [2]) == pytest.approx(
        {name.replace("@1", "@2"): value for name, value in exposure(shown([2], [2]), TRAIN, 4, [1]).items()}
    )


def test_a_user_without_history_has_no_part_in_the_lift():
    with_stranger = exposure(shown([2], [2], [2], [0]), TRAIN, 4, [1])
    assert (
        with_stranger["popularity_lift@1"]
        == exposure(shown([2], [2], [2]), TRAIN, 4, [1])["popularity_lift@1"]
    )
    only = Ranking(np.array([3]), np.array([[0]]), np.zeros((1, 1), dtype=np.float32))
    assert math.isnan(exposure(only, TRAIN, 4, [1])["popularity_lift@1"])
