import torch

from recommender.models import Batch, build, scores
from recommender.testing import toy_inputs, toy_profile


def test_items_are_ordered_by_their_number_of_train_interactions():
    inputs = toy_inputs()
    model = build("popularity", {}, inputs)
    counts = [inputs.train.item.tolist().count(item) for item in range(inputs.items)]
    user = torch.tensor([0, 5])
    table = scores(model.users(Batch(user, torch.zeros(2, 0), toy_profile(inputs)[user])), model.items())
    expected = torch.tensor(counts).float().add(1).log()
    torch.testing.assert_close(table, expected.expand(2, -1))


def test_its_softmax_is_the_train_distribution():
    inputs = toy_inputs()
    counts = torch.bincount(inputs.train.item, minlength=inputs.items).float() + 1
    user = torch.arange(inputs.users)
    target = user % inputs.items
    loss = build("popularity", {}, inputs).loss(Batch(user, torch.zeros(48, 0), toy_profile(inputs), target))
    torch.testing.assert_close(loss, -(counts / counts.sum()).log()[target].mean())
