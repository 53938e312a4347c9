import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender import ranking
from recommender.ranking import top

# The way is the same for all examples of a test.
either_way = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def tables(draw):
    """Scores with many ties, some or whole rows -inf, and a k that may be too large."""
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    levels = st.sampled_from([-1.5, -0.0, 0.0, 1.0, 2.0, -math.inf])

    def filled(cells):
        rows = st.lists(cells, min_size=width, max_size=width)
        return draw(st.lists(rows, min_size=height, max_size=height))

    scores = torch.tensor(filled(levels))
    if draw(st.booleans()):
        scores[torch.tensor(filled(st.booleans()))] = -math.inf
    return scores, draw(st.integers(1, width + 3))


@pytest.fixture(params=["partitioned", "by torch.topk"], autouse=True)
def _either_way(request, monkeypatch):
    if request.param == "by torch.topk":
        monkeypatch.setattr(ranking, "_PARTITIONED", 0)


def by_sorting(scores, k):
    """Row by row with Python's stable sort: best first, then by item number."""
    result = []
    for values in scores.tolist():
        order = sorted(range(len(values)), key=lambda item: -values[item])[:k]
        result.append(([values[item] for item in order], order))
    return result


@either_way
@given(tables())
def test_equals_a_full_stable_sort(table):
    scores, k = table
    values, index = top(scores, k)
    assert list(zip(values.tolist(), index.tolist(), strict=True)) == by_sorting(scores, k)


@either_way
@given(tables())
def test_a_row_does_not_depend_on_the_other_rows(table):
    scores, k = table
    values, index = top(scores, k)
    for row in range(len(scores)):
        alone = top(scores[row : row + 1], k)
        assert torch.equal(alone[0][0], values[row])
        assert torch.equal(alone[1][0], index[row])


@either_way
@given(tables())
def test_the_scores_given_are_left_as_they_are(table):
    scores, k = table
    before = scores.clone()
    top(scores, k)
    assert torch.equal(scores, before)


def test_a_row_with_too_few_items_left_ends_in_minus_infinity():
    values, index = top(torch.tensor([[3.0, -math.inf, -math.inf]]), 3)
    assert values.tolist() == [[3.0, -math.inf, -math.inf]]
    assert index.tolist() == [[0, 1, 2]]


def test_ties_that_the_cut_divides_go_to_the_smaller_numbers():
    # Wide enough that top-k's own order of ties is anything but this one.
    scores = torch.ones(3, 5000)
    scores[1, 4000] = 2
    _, index = top(scores, 4)
    assert index.tolist() == [[0, 1, 2, 3], [4000, 0, 1, 2], [0, 1, 2, 3]]


def test_what_is_not_a_number_comes_first_in_its_row_alone():
    scores = torch.randn(3, 40)
    scores[1, [7, 30]] = math.nan
    values, index = top(scores, 5)
    assert index[1, :2].tolist() == [7, 30]
    assert values[1].isnan().tolist() == [True, True, False, False, False]
    assert index[1, 2:].tolist() == top(scores[1:2].nan_to_num(-math.inf), 3)[1][0].tolist()
    assert not values[[0, 2]].isnan().any()


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([math.nan, 3.0, 2.0, 2.0], [0, 1, 2]), ([math.nan, -math.inf, -math.inf, 1.0], [0, 3, 1])],
)
def test_what_is_not_a_number_is_not_hidden_by_scores_that_are_equal_at_the_cut(scores, expected):
    values, index = top(torch.tensor([scores]), 3)
    assert index.tolist() == [expected]
    assert values[0].isnan().tolist() == [True, False, False]
