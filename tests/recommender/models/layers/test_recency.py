import torch

from recommender.models.layers.recency import Recency


@torch.no_grad()
def test_items_count_by_their_place_and_padding_not_at_all():
    layer = Recency(4, 2, 3)
    torch.nn.init.normal_(layer.map.weight)
    vectors, real = torch.randn(2, 4, 3), torch.tensor([[True] * 4, [False, False, True, True]])
    got = layer(vectors, real)
    for user in range(2):
        for k in range(2):
            total = sum(layer.weight[k, t] * vectors[user, t] for t in range(4) if real[user, t])
            torch.testing.assert_close(got[user, k], layer.map.weight @ total)


@torch.no_grad()
def test_it_starts_as_a_decay_that_differs_from_interest_to_interest():
    layer = Recency(5, 3, 2)
    assert (layer.weight[:, 1:] > layer.weight[:, :-1]).all()
    torch.testing.assert_close(layer.weight[:, -1], torch.ones(3))
    assert (layer.weight[1:, 0] < layer.weight[:-1, 0]).all()
    nobody = layer(torch.randn(1, 5, 2), torch.zeros(1, 5, dtype=torch.bool))
    assert not nobody.any()
