import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import interactions, rows

from recommender.data import Interactions
from recommender.data.ordering import by_user_and_time

FAR = 2**62


def naively(inter):
    return sorted(rows(inter), key=lambda row: (row[0], row[3]))  # stable


def table(users, times):
    """Ratings and items tell the rows apart."""
    n = len(users)
    return Interactions(
        np.array(users, dtype=np.int32),
        np.arange(n, dtype=np.int32),
        np.zeros(n, dtype=np.float32),
        np.array(times, dtype=np.int64),
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.one_of(st.integers(-3, 3), st.sampled_from([-FAR, FAR, FAR - 1])))
    ),
)
def test_it_is_the_stable_sort_by_user_then_time_whatever_the_times(pairs):
    inter = table(*zip(*pairs, strict=True)) if pairs else interactions([])
    assert rows(by_user_and_time(inter)) == naively(inter)


@pytest.mark.parametrize("span", [1, 50, 10**9, 2**61])
@pytest.mark.parametrize("first", [0, -(10**12), 10**12])
def test_it_is_stable_in_large_tables_too(span, first):
    # The library sorts small tables by another algorithm.
    generator = np.random.default_rng(0)
    n = 70_000
    inter = table(generator.integers(0, 300, n), first + generator.integers(0, span, n))
    assert rows(by_user_and_time(inter)) == naively(inter)


def test_what_is_in_order_is_not_copied():
    inter = table([0, 0, 0, 2], [1, 1, 5, 0])
    assert by_user_and_time(inter) is inter
