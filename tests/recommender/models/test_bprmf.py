import pytest
import torch

from recommender.models import Batch, ModelError, build, scores
from recommender.testing import toy_inputs, toy_profile


def make(**params):
    torch.manual_seed(0)
    model = build("bprmf", {"dim": 8, **params}, toy_inputs())
    torch.nn.init.normal_(model.bias)
    return model


def batch_of(*users, target=None):
    user = torch.tensor(users)
    history = torch.zeros(len(users), 0, dtype=torch.int64)
    return Batch(user, history, toy_profile(toy_inputs())[user], target)


def test_the_exported_vectors_give_p_q_plus_b():
    model = make()
    table = scores(model.users(batch_of(3, 0, 7)), model.items())
    for row, user in enumerate((3, 0, 7)):
        for item in range(36):
            expected = model.user.weight[user] @ model.item.weight[item] + model.bias[item]
            torch.testing.assert_close(table[row, item], expected)


def test_the_loss_is_bpr_over_the_drawn_negatives_plus_l2(monkeypatch):
    model = make(negatives=2, regularisation=0.01)
    negatives = torch.tensor([[4, 5], [6, 6]])
    monkeypatch.setattr(model.pairwise.sampler, "draw", lambda user, count: negatives)
    loss = model.loss(batch_of(1, 2, target=torch.tensor([10, 20])))
    table = scores(model.users(batch_of(1, 2)), model.items())
    p, q = model.user.weight, model.item.weight
    pairs = [(0, 10, 4), (0, 10, 5), (1, 20, 6), (1, 20, 6)]
    bpr = sum(-torch.log(torch.sigmoid(table[u, i] - table[u, j])) for u, i, j in pairs) / 4
    norm = sum((p[u] ** 2).sum() for u in (1, 2)) + sum((q[i] ** 2).sum() for i in (10, 20))
    norm = norm + sum((q[j] ** 2).sum() for j in (4, 5, 6, 6)) / 2
    torch.testing.assert_close(loss, bpr + 0.01 * norm / 2)


@pytest.mark.parametrize("params", [{"dim": 0}, {"negatives": 0}, {"regularisation": -1.0}])
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: BPRMF needs"):
        build("bprmf", params, toy_inputs())
