import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.models import Batch, ModelError
from recommender.models.layers.pairwise import PairwiseLoss, pair_scores
from recommender.testing import toy_inputs

USERS, ITEMS, DIM = 5, 7, 3


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 10**6))
def test_scores_and_gradients_are_those_of_gathered_rows(batch, width, seed):
    generator = torch.Generator().manual_seed(seed)
    users, items = (torch.randn(n, DIM, generator=generator).requires_grad_() for n in (USERS, ITEMS))
    user = torch.randint(USERS, (batch,), generator=generator)
    item = torch.randint(ITEMS, (batch, width), generator=generator)
    weight = torch.randn(batch, width, generator=generator)
    found = pair_scores(users, items, user, item)
    expected = (users[user][:, None] * items[item]).sum(-1)
    torch.testing.assert_close(found, expected)
    for got, right in zip(
        torch.autograd.grad((found * weight).sum(), (users, items)),
        torch.autograd.grad((expected * weight).sum(), (users, items)),
        strict=True,
    ):
        torch.testing.assert_close(got, right)


def test_scores_are_float32_under_autocast():
    users, items = torch.rand(2, 64), torch.rand(3, 64)
    user, item = torch.tensor([0, 1]), torch.tensor([[0, 1], [2, 2]])
    exact = pair_scores(users, items, user, item)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(pair_scores(users, items, user, item), exact)


def pairwise(negatives=2, regularisation=0.01):
    return PairwiseLoss(toy_inputs(), negatives, regularisation)


def test_it_is_bpr_over_the_drawn_negatives_plus_the_norms_of_the_learnt_rows(monkeypatch):
    loss = pairwise()
    negatives = torch.tensor([[4, 5], [6, 6]])
    monkeypatch.setattr(loss.sampler, "draw", lambda user, count: negatives)
    inputs = toy_inputs()
    users, p, r = torch.randn(3, inputs.users, 4)
    items, q = torch.randn(2, inputs.items, 4)
    nothing = torch.zeros(2, 0, dtype=torch.int64)
    batch = Batch(torch.tensor([1, 2]), nothing, nothing, torch.tensor([10, 20]))
    pairs = [(1, 10, 4), (1, 10, 5), (2, 20, 6), (2, 20, 6)]
    bpr = sum(-torch.log(torch.sigmoid(users[u] @ (items[i] - items[j]))) for u, i, j in pairs) / 4
    norm = sum((table[u] ** 2).sum() for table in (p, r) for u in (1, 2))
    norm = norm + sum((q[i] ** 2).sum() for i in (10, 20)) + sum((q[j] ** 2).sum() for j in (4, 5, 6, 6)) / 2
    torch.testing.assert_close(loss(batch, users, items, [p, r], [q]), bpr + 0.01 * norm / 2)


def test_a_bias_is_one_more_dimension_of_the_items(monkeypatch):
    loss = pairwise()
    negatives = torch.tensor([[4, 5], [6, 10]])
    monkeypatch.setattr(loss.sampler, "draw", lambda user, count: negatives)
    inputs = toy_inputs()
    users, items = torch.randn(inputs.users, 4), torch.randn(inputs.items, 4)
    bias = torch.randn(inputs.items).requires_grad_()
    nothing = torch.zeros(2, 0, dtype=torch.int64)
    batch = Batch(torch.tensor([1, 2]), nothing, nothing, torch.tensor([10, 20]))
    found = loss(batch, users, items, [], [], bias)
    ones = torch.ones(inputs.users, 1)
    expected = loss(batch, torch.cat([users, ones], 1), torch.cat([items, bias[:, None]], 1), [], [])
    torch.testing.assert_close(found, expected)
    for got, right in zip(torch.autograd.grad(found, bias), torch.autograd.grad(expected, bias), strict=True):
        torch.testing.assert_close(got, right)


@pytest.mark.parametrize(("negatives", "regularisation"), [(0, 0.0), (1, -1.0), (1, float("nan"))])
def test_options_out_of_range_are_refused(negatives, regularisation):
    with pytest.raises(ModelError, match=r"recommender\.params: BPR needs"):
        pairwise(negatives, regularisation)
