import pytest
import torch

from recommender.models import Batch, ModelError, build, scores
from recommender.testing import toy_inputs, toy_profile


def make(**params):
    torch.manual_seed(0)
    return build("mcln", {"dim": 8, "visual_weight": 0.5, **params}, toy_inputs()).eval()


def batch_of(*users, target=None):
    user = torch.tensor(users)
    history = torch.zeros(len(users), 0, dtype=torch.int64)
    return Batch(user, history, toy_profile(toy_inputs())[user], target)


@torch.no_grad()
def test_the_score_is_one_user_vector_times_every_head():
    model = make()
    users, _ = model.tower.graph_vectors()
    table = scores(model.users(batch_of(3, 0)), model.items())
    tokens, present = model.tower.tokens(model.tower.graph_vectors()[1]), model.tower.present
    mean = tokens.sum(0) / present.sum(0)[:, None]
    rows, has = torch.cat([tokens, mean[None]]), torch.cat([present, torch.ones(1, 3, dtype=torch.bool)])
    heads = model.tower.heads(rows, has, torch.full((37,), 36))[0][:36]
    assert heads.shape == (36, 4, 8)
    for row, user in enumerate((3, 0)):
        torch.testing.assert_close(table[row], sum(heads[:, n] @ users[user] for n in range(4)))


@torch.no_grad()
def test_the_loss_is_bpr_per_head_where_both_items_have_the_modality(monkeypatch):
    model = make(negatives=2, regularisation=0.01)
    # Item 0 has no text, 1 no picture, 2 neither.
    drawn = torch.tensor([[4, 1], [6, 2]])
    monkeypatch.setattr(model.sampler, "draw", lambda user, count: drawn)
    other = torch.randint(36, (36,), generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(torch, "randint", lambda high, size, device: other)
    loss = model.loss(batch_of(1, 2, target=torch.tensor([10, 0])))
    tower = model.tower
    users, g = tower.graph_vectors()
    tokens = tower.tokens(g)

    def heads(item):
        rows = [item, int(other[item])]
        parts, has = tower.heads(tokens[rows], tower.present[rows], torch.tensor([1, 0]))
        return parts[0], has[0]

    total = 0.0
    for user, row in ((1, (10, 4, 1)), (2, (0, 6, 2))):
        positive, has = heads(row[0])
        for n in (1, 2):
            negative, too = heads(row[n])
            for head in range(4):
                if has[head] and too[head]:
                    margin = users[user] @ (positive[head] - negative[head])
                    total -= torch.log(torch.sigmoid(margin)) / 4
    norm = sum((tower.user.weight[u] ** 2).sum() for u in (1, 2))
    norm += sum((tower.item.weight[i] ** 2).sum() for i in (10, 0))
    norm += sum((tower.item.weight[i] ** 2).sum() for i in (4, 1, 6, 2)) / 2
    torch.testing.assert_close(loss, total + 0.01 * norm / 2)


@pytest.mark.parametrize("params", [{"dim": 0}, {"negatives": 0}, {"regularisation": -1.0}])
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: MCLN needs"):
        build("mcln", params, toy_inputs())
