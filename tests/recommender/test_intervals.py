import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recommender.intervals import mean_interval


def wilson(hits, n, z=1.959963984540054):
    """The textbook formula."""
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


@given(st.integers(2, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_shares_get_wilsons_interval(case):
    n, hits = case
    found = mean_interval(np.repeat([1.0, 0.0], [hits, n - hits]), seed=0)
    assert found.mean == pytest.approx(hits / n)
    assert (found.low, found.high) == pytest.approx(wilson(hits, n), abs=1e-9)


@pytest.mark.parametrize("users", [3, 80, 3_000])
def test_other_values_get_the_bca_bootstrap(users):
    values = np.random.default_rng(1).beta(0.5, 2, users)
    found = mean_interval(values, seed=4)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=2_000, method="BCa", rng=np.random.default_rng(4)
    ).confidence_interval
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_skewed_values_are_not_given_a_symmetric_interval():
    values = np.concatenate([np.zeros(50), np.random.default_rng(0).random(6)])
    found = mean_interval(values, seed=0)
    assert found.high - found.mean > 1.2 * (found.mean - found.low)


def test_the_seed_alone_decides_the_resamples():
    values = np.random.default_rng(2).random(30)
    assert mean_interval(values, 7) == mean_interval(values.copy(), 7)
    assert mean_interval(values, 7) != mean_interval(values, 8)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_one_user_has_no_interval(value):
    assert mean_interval(np.array([value]), 0) == (value, None, None)


def test_equal_values_are_no_accident_of_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mean_interval(np.full(9, 0.25), 0) == (0.25, 0.25, 0.25)


@given(st.lists(st.floats(0, 1, width=16), min_size=2, max_size=12), st.integers(0, 5))
def test_the_mean_lies_inside(values, seed):
    found = mean_interval(np.array(values), seed)
    assert found.low - 1e-12 <= found.mean <= found.high + 1e-12
    assert found.low >= -1e-12
    assert found.high <= 1 + 1e-12


@pytest.mark.parametrize("kind", ["share", "skewed"])
def test_about_95_percent_of_intervals_hold_the_truth(kind):
    draw, held, trials = np.random.default_rng(3), 0, 300
    for trial in range(trials):
        if kind == "share":
            values, truth = (draw.random(60) < 0.1).astype(float), 0.1
        else:
            values, truth = draw.beta(1, 3, 60), 0.25
        found = mean_interval(values, trial)
        held += found.low <= truth <= found.high
    assert 0.90 <= held / trials <= 0.985
