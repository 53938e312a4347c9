import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender_doubles import datasets, interactions

from recommender.data import load
from recommender.data.histories import PAD, Histories
from recommender.data.splitting import prepare, temporal_split
from recommender.evaluation import evaluate
from recommender.models import Batch, Inputs, ModelError, build, itemknn
from recommender.testing import toy_inputs

USERS, ITEMS = 6, 8
MODELS = ("ease", "ease-recent", "itemknn")


def inputs_of(data):
    """Of all interactions of a data set of up to 6 users and 8 items."""
    return Inputs(USERS, ITEMS, Histories.of(temporal_split(data, (1, 0, 0)).train, USERS))


def taken(inputs):
    """X of the inputs, (U, I)."""
    matrix = np.zeros((inputs.users, inputs.items))
    matrix[inputs.train.users().numpy(), inputs.train.item.numpy()] = 1
    return matrix


def scored(model, *histories):
    """(B, I) scores of lists of items."""
    width = max(len(each) for each in histories)
    history = torch.tensor([[PAD] * (width - len(each)) + each for each in histories], dtype=torch.int64)
    batch = Batch(torch.zeros(len(history), dtype=torch.int64), history, torch.zeros(len(history), 0))
    return model.score(batch, model.catalogue())


@given(datasets(max_users=USERS, max_items=ITEMS), st.floats(0.1, 1000))
def test_ease_is_the_closed_form(data, regularisation):
    inputs = inputs_of(data)
    model = build("ease", {"regularisation": regularisation}, inputs)
    x = taken(inputs)
    inverse = np.linalg.inv(x.T @ x + regularisation * np.eye(ITEMS))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(model.weights.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(
        scored(model, [3, 0, 5], [7], []).numpy(),
        [expected[[3, 0, 5]].sum(0), expected[7], np.zeros(ITEMS)],
        atol=1e-5,
    )


def test_ease_solves_its_least_squares_problem_with_a_zero_diagonal():
    inputs = toy_inputs()
    model = build("ease", {"regularisation": 3.0}, inputs)
    weights = model.weights.double().numpy()
    assert not np.diag(weights).any()
    x = taken(inputs)
    gradient = x.T @ (x @ weights - x) + 3 * weights
    np.fill_diagonal(gradient, 0)  # what the constraint forbids to move
    assert np.abs(gradient).max() < 1e-5


def test_ease_of_more_items_than_are_counted_at_once_is_the_same(monkeypatch):
    inputs = toy_inputs()
    whole = build("ease", {}, inputs)
    monkeypatch.setattr("recommender.models.ease._COLUMNS", 7)
    assert torch.equal(build("ease", {}, inputs).weights, whole.weights)


def test_a_matrix_that_cannot_be_inverted_is_an_error():
    twins = interactions([(0, 0, 5, 0), (0, 1, 5, 1)])  # two equal columns
    with pytest.raises(ModelError, match="1e-30 is too small to invert the item matrix; raise it"):
        build("ease", {"regularisation": 1e-30}, Inputs(1, 2, Histories.of(twins, 1)))


def naive_neighbours(x, neighbours, shrink):
    """Similarity and number of each item's nearest, one pair at a time."""
    nearest = {}
    for j in range(ITEMS):
        similarity = {}
        for i in range(ITEMS):
            common = (x[:, i] * x[:, j]).sum()
            if i != j and common:
                similarity[i] = common / (math.sqrt(x[:, i].sum() * x[:, j].sum()) + shrink)
        ordered = sorted(similarity, key=lambda i: (-round(similarity[i], 9), i))
        nearest[j] = {i: similarity[i] for i in ordered[:neighbours]}
    return nearest


@settings(deadline=None)
@given(
    datasets(max_users=USERS, max_items=ITEMS),
    st.integers(1, 10),
    st.sampled_from([0.0, 2.5]),
    st.lists(st.lists(st.integers(0, ITEMS - 1), unique=True), min_size=1, max_size=4),
    st.sampled_from([1, 5, 2**24]),
)
def test_itemknn_is_the_naive_sum_over_kept_neighbours(data, neighbours, shrink, histories, at_once):
    inputs = inputs_of(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(itemknn, "_PAIRS", at_once)
        patch.setattr(itemknn, "_TERMS", at_once)
        model = build("itemknn", {"neighbours": neighbours, "shrink": shrink}, inputs)
        table = scored(model, *histories)
    nearest = naive_neighbours(taken(inputs), neighbours, shrink)
    expected = np.zeros((len(histories), ITEMS))
    for (row, history), i in product(enumerate(histories), range(ITEMS)):
        expected[row, i] = sum(nearest[j].get(i, 0) for j in history)
    np.testing.assert_allclose(table.numpy(), expected, atol=1e-6)


def test_itemknn_never_proposes_an_item_for_itself():
    model = build("itemknn", {}, toy_inputs())
    alone = scored(model, *([item] for item in range(36)))
    assert not alone.diagonal().any()
    assert alone.count_nonzero() > 0


def test_equally_near_items_are_kept_by_number():
    rows = [(0, item, 5, item) for item in range(5)]
    model = build("itemknn", {"neighbours": 2}, Inputs(1, 5, Histories.of(interactions(rows), 1)))
    assert model.neighbour.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


@pytest.mark.parametrize(("name", "expected"), [("ease", None), ("itemknn", None), ("ease-recent", 5)])
def test_how_much_history_is_read(name, expected):
    assert build(name, {}, toy_inputs()).history_length == expected
    assert build(name, {"recent": 3}, toy_inputs()).history_length == 3


@pytest.mark.parametrize("name", ["ease", "itemknn"])
@pytest.mark.parametrize("recent", [0, -1, 2.0, True, "all"])
def test_a_length_that_is_none_is_refused(name, recent):
    with pytest.raises(ModelError, match=r"recommender\.params\.recent: .* is not a whole number"):
        build(name, {"recent": recent}, toy_inputs())


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("ease", {"regularisation": 0.0}),
        ("ease-recent", {"regularisation": -1.0}),
        ("ease", {"regularisation": math.nan}),
        ("itemknn", {"neighbours": 0}),
        ("itemknn", {"shrink": -1.0}),
        ("itemknn", {"shrink": math.nan}),
    ],
)
def test_options_out_of_range_are_refused(name, params):
    with pytest.raises(ModelError, match=r"recommender\.params: (EASE|ItemKNN) needs"):
        build(name, params, toy_inputs())


@pytest.mark.parametrize("name", MODELS)
def test_scoring_makes_no_matrix_of_the_export(name, monkeypatch):
    model = build(name, {}, toy_inputs())
    monkeypatch.setattr(model, "items", lambda: pytest.fail("the identity was made"))
    assert scored(model, [0, 1]).shape == (1, 36)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_taken_is_nothing_known(name):
    model = build(name, {}, Inputs(2, 3, Histories.of(interactions([]), 2)))
    assert not scored(model, [0, 2], []).any()


def test_the_real_movielens_1m_gives_the_reference_figures(ml1m_folder: Path):
    split = prepare(load("ml-1m", ml1m_folder))
    users, items = len(split.dataset.users), len(split.dataset.items)
    model = build("ease", {}, Inputs(users, items, Histories.of(split.train, users)))
    served, nothing = Histories.of(split.history("test"), users), torch.zeros(users, 0, dtype=torch.int64)
    found = {}
    for recent in (None, 5):
        model.history_length = recent
        _, metrics = evaluate(model, served, nothing, split.test, [10, 50])
        found[recent] = [round(float(metrics[name].mean()), 3) for name in ("hr@10", "ndcg@10", "hr@50")]
    assert found == {None: [0.408, 0.094, 0.814], 5: [0.565, 0.153, 0.842]}


def test_a_model_of_whole_histories_must_say_what_it_trains_on():
    with pytest.raises(ModelError, match="EASE serves on whole histories, so its training_length must say"):
        _ = build("ease", {}, toy_inputs()).training_length
