from dataclasses import replace

import pytest
import torch

from recommender.models import Batch, ModelError, build, scores
from recommender.testing import toy_inputs, toy_profile

NEGATIVES = torch.tensor([[4, 5], [6, 6]])


def make(inputs=None, seed=0, **params):
    torch.manual_seed(seed)
    model = build("vbpr", {"dim": 8, "visual_dim": 4, **params}, inputs or toy_inputs())
    torch.nn.init.normal_(model.bias)
    return model


def batch_of(*users, target=None):
    user = torch.tensor(users)
    history = torch.zeros(len(users), 0, dtype=torch.int64)
    return Batch(user, history, toy_profile(toy_inputs())[user], target)


def score(model, user, item):
    """b_i + g_u . g_i + t_u . (E f_i) + b' . f_i, term by term."""
    f = toy_inputs().visual.vectors[item]
    projection, shared = model.visual.weight[:4], model.visual.weight[4]
    return (
        model.bias[item]
        + model.user.weight[user] @ model.item.weight[item]
        + model.visual_user.weight[user] @ (projection @ f)
        + shared @ f
    )


def test_the_exported_vectors_give_eq_4():
    model = make()
    table = scores(model.users(batch_of(3, 0, 7)), model.items())
    for row, user in enumerate((3, 0, 7)):
        for item in range(36):
            torch.testing.assert_close(table[row, item], score(model, user, item))


def test_an_item_without_a_picture_gets_nothing_from_what_is_visual():
    model, present = make(), toy_inputs().visual.present
    before = scores(model.users(batch_of(*range(48))), model.items())
    torch.nn.init.normal_(model.visual.weight, std=5)
    torch.nn.init.normal_(model.visual_user.weight, std=5)
    after = scores(model.users(batch_of(*range(48))), model.items())
    assert not present.all()
    torch.testing.assert_close(after[:, ~present], before[:, ~present])
    assert ((after - before)[:, present].abs() > 1e-3).float().mean() > 0.99


def test_the_loss_is_bpr_over_the_drawn_negatives_plus_l2(monkeypatch):
    model = make(negatives=2, regularisation=0.01, visual_regularisation=0.1)
    monkeypatch.setattr(model.pairwise.sampler, "draw", lambda user, count: NEGATIVES)
    loss = model.loss(batch_of(1, 2, target=torch.tensor([10, 20])))
    pairs = [(1, 10, 4), (1, 10, 5), (2, 20, 6), (2, 20, 6)]
    bpr = sum(-torch.log(torch.sigmoid(score(model, u, i) - score(model, u, j))) for u, i, j in pairs) / 4
    g_u, t_u, g_i = model.user.weight, model.visual_user.weight, model.item.weight
    norm = sum((g_u[u] ** 2).sum() + (t_u[u] ** 2).sum() for u in (1, 2))
    norm = (
        norm + sum((g_i[i] ** 2).sum() for i in (10, 20)) + sum((g_i[j] ** 2).sum() for j in (4, 5, 6, 6)) / 2
    )
    torch.testing.assert_close(loss, bpr + 0.01 * norm / 2 + 0.1 * (model.visual.weight**2).sum())


def test_without_pictures_it_is_bprmf(monkeypatch):
    inputs = replace(toy_inputs(), visual=None)
    model = make(inputs, negatives=2)
    other = build("bprmf", {"dim": 8, "negatives": 2}, inputs)
    other.load_state_dict(model.state_dict())
    batch = batch_of(1, 2, target=torch.tensor([10, 20]))
    for each in (model, other):
        monkeypatch.setattr(each.pairwise.sampler, "draw", lambda user, count: NEGATIVES)
    torch.testing.assert_close(model.loss(batch), other.loss(batch))
    assert torch.equal(model.score(batch, model.catalogue()), other.score(batch, other.catalogue()))


def test_pictures_rank_an_item_that_nobody_has_taken():
    """What only pictures can tell: the taste of an item without any interaction."""
    inputs = toy_inputs()
    new, user = 13, torch.arange(48)
    keep = inputs.train.item != new
    sizes = torch.bincount(inputs.train.users()[keep], minlength=48)
    start = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    train = replace(inputs.train, start=start, item=inputs.train.item[keep])
    examples = batch_of(*train.users().tolist(), target=train.item)
    same_taste = user % 3 == new // 12
    shares = []
    for seed in range(4):
        model = make(replace(inputs, train=train), seed=seed)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
        # Few steps: one more item among so few is soon known to be taken by nobody.
        for _ in range(30):
            optimiser.zero_grad()
            model.loss(examples).backward()
            optimiser.step()
        scored = model.score(batch_of(*user.tolist()), model.catalogue())[:, new]
        shares.append((scored[same_taste][:, None] > scored[~same_taste]).float().mean())
    assert sum(shares) / len(shares) > 0.75


@pytest.mark.parametrize(
    "params",
    [
        {"dim": 0},
        {"visual_dim": 0},
        {"negatives": 0},
        {"regularisation": -1.0},
        {"visual_regularisation": -1.0},
    ],
)
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: VBPR needs"):
        build("vbpr", params, toy_inputs())
