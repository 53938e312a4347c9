import pytest
import torch

from recommender.data.histories import PAD, Histories
from recommender.models import Batch, Inputs, ModelError, build, scores

# The users' train items; user 2 has one, user 3 none.
TAKEN = [[0, 3, 5, 1], [2, 3], [4], []]
ITEMS = 7


def make(**params):
    torch.manual_seed(0)
    start = torch.tensor([0, 4, 6, 7, 7])
    train = Histories(start, torch.tensor([item for items in TAKEN for item in items]))
    model = build("svdpp", {"dim": 8, **params}, Inputs(4, ITEMS, train))
    torch.nn.init.normal_(model.bias)
    return model


def batch_of(users, histories=None, target=None):
    histories = histories or [[] for _ in users]
    width = max(len(each) for each in histories)
    history = torch.tensor([[PAD] * (width - len(each)) + each for each in histories], dtype=torch.int64)
    target = None if target is None else torch.tensor(target)
    return Batch(torch.tensor(users), history, torch.zeros(len(users), 0), target)


def vector(model, user, around):
    """p_u + |N|^-1/2 sum of y over N = `around`."""
    y = model.implicit.weight
    return model.user.weight[user] + sum(y[j] for j in around) / max(len(around), 1) ** 0.5


def test_the_exported_vectors_give_koren_s_score_with_the_history_served():
    model = make()
    users, histories = [1, 0, 3, 2], [[2, 3, 6], [5], [], [0, 1, 2, 3, 4]]
    table = scores(model.users(batch_of(users, histories)), model.items())
    for row, (user, history) in enumerate(zip(users, histories, strict=True)):
        for item in range(ITEMS):
            expected = model.item.weight[item] @ vector(model, user, history) + model.bias[item]
            torch.testing.assert_close(table[row, item], expected)


def test_the_loss_is_bpr_with_each_target_left_out_of_its_sum_plus_l2(monkeypatch):
    model = make(negatives=2, regularisation=0.01)
    users, targets, negatives = [0, 1, 0, 2], [3, 2, 1, 4], [[2, 4], [0, 0], [6, 2], [1, 5]]
    monkeypatch.setattr(model.sampler, "draw", lambda user, count: torch.tensor(negatives))
    loss = model.loss(batch_of(users, target=targets))
    p, q, y, b = model.user.weight, model.item.weight, model.implicit.weight, model.bias
    bpr, norm = [], 0
    for u, i, drawn in zip(users, targets, negatives, strict=True):
        around = [j for j in TAKEN[u] if j != i]
        mine = vector(model, u, around)
        bpr += [-torch.log(torch.sigmoid((q[i] - q[j]) @ mine + b[i] - b[j])) for j in drawn]
        norm = norm + (p[u] ** 2).sum() + (q[i] ** 2).sum() + sum((y[j] ** 2).sum() for j in around)
        norm = norm + sum((q[j] ** 2).sum() for j in drawn) / 2
    torch.testing.assert_close(loss, sum(bpr) / len(bpr) + 0.01 * norm / 4)


@pytest.mark.parametrize(("user", "target"), [(0, 5), (1, 2), (2, 4)])
def test_a_target_s_own_y_has_no_part_in_its_loss(user, target):
    model = make()
    torch.manual_seed(1)
    loss = model.loss(batch_of([user], target=[target]))
    loss.backward()
    pulled = model.implicit.weight.grad.abs().sum(1) > 1e-7
    assert pulled.nonzero()[:, 0].tolist() == sorted(set(TAKEN[user]) - {target})
    with torch.no_grad():
        model.implicit.weight[target] += 5
    torch.manual_seed(1)
    torch.testing.assert_close(model.loss(batch_of([user], target=[target])), loss)


def test_training_needs_no_history_and_serving_all_of_it():
    model = make()
    assert model.training_length == 0
    assert model.history_length is None


@pytest.mark.parametrize("params", [{"dim": 0}, {"negatives": 0}, {"regularisation": -1.0}])
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: SVD\+\+ needs"):
        make(**params)
