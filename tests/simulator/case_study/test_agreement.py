"""Pairs of history items: counted by hand."""

import numpy as np
import pytest

from recommender.insight import Insight
from simulator.case_study.agreement import agreement

GENRES = [("Drama",), ("Drama", "War"), ("Comedy",), ("War", "Comedy"), ()]


def user(history, interests):
    routing = np.eye(3, dtype=np.float32)[interests]
    nothing = np.zeros((3, 1), dtype=np.float32)
    return Insight(nothing, np.array(history), np.ones(len(history), dtype=np.float32), routing, nothing)


def test_pairs_are_counted_within_users():
    # Same: 0-1 share, 2-3 share, 1-4 do not. Other: 0-2, 0-3 do not, 1-2 do not, 1-3 share.
    found = agreement([user([0, 1, 2, 3], [0, 0, 1, 1]), user([1, 4], [2, 2])], GENRES)
    assert (found.same, found.other) == (pytest.approx(2 / 3), pytest.approx(1 / 4))


def test_without_pairs_there_is_nothing_to_tell():
    found = agreement([user([0], [1])], GENRES)
    assert (found.same, found.other) == (None, None)
    assert agreement([user([0, 1], [1, 1])], GENRES).other is None
