from dataclasses import fields, replace

import pytest
import torch
from tensor_sizes import LargestTensor
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models import Batch, ModelError, build
from recommender.testing import toy_inputs, toy_profile

L = 6
SMALL = {"dim": 8, "history": L, "dropout": 0.0}


def make(**params):
    torch.manual_seed(0)
    return build("sasrec", SMALL | params, toy_inputs()).eval()


@pytest.fixture
def batch():
    """Whole sequences: three users of full windows, one of two items and three of padding, one of nothing."""
    inputs = toy_inputs()
    user = torch.arange(1, 6)
    last = torch.tensor([6, 6, 6, 3, 0])
    history, following = (inputs.train.before(user, last + step, L) for step in (0, 1))
    following = torch.where(history == PAD, PAD, following)
    assert (history[3] == PAD).sum() == 3
    assert (history[4] == PAD).all()
    return Batch(user, history, toy_profile(inputs)[user], following[:, -1], following)


def rows(batch, which):
    return Batch(*(getattr(batch, each.name)[which] for each in fields(batch)))


def only(batch, row, place):
    """The batch with one target left."""
    following = torch.full_like(batch.following, PAD)
    following[row, place] = batch.following[row, place]
    return replace(batch, following=following)


@pytest.mark.parametrize("place", range(L))
def test_a_place_does_not_see_what_comes_after_it(batch, place):
    model = make()
    later = batch.history.clone()
    later[:, place + 1 :] = (later[:, place + 1 :] + 5) % 36
    one = only(batch, 0, place)
    assert model.loss(replace(one, history=later)) == model.loss(one)


@pytest.mark.parametrize("place", range(L))
def test_it_sees_itself_and_what_comes_before(batch, place):
    model = make()
    one = only(batch, 0, place)
    for earlier in range(place + 1):
        other = batch.history.clone()
        other[0, earlier] = (other[0, earlier] + 5) % 36
        assert abs(model.loss(replace(one, history=other)) - model.loss(one)) > 1e-6


def test_a_place_is_served_as_it_is_learnt(batch):
    """The last place of a whole sequence, the same example with its target alone, and serving's scores agree."""
    model = make(blocks=3, heads=2)
    three = replace(rows(batch, slice(3)), following=None)
    last = torch.full_like(batch.following, PAD)
    last[:3, -1] = batch.following[:3, -1]
    table = model.score(three, model.catalogue())
    expected = functional.cross_entropy(table, three.target)
    torch.testing.assert_close(model.loss(replace(batch, following=last)), expected)
    torch.testing.assert_close(model.loss(three), expected)


def test_the_loss_is_the_mean_over_real_places(batch):
    model = make(temperature=0.5)
    real = (batch.following != PAD).nonzero().tolist()
    assert len(real) == 3 * L + 3
    total = sum(model.loss(only(batch, row, place)) for row, place in real)
    torch.testing.assert_close(model.loss(batch), total / len(real))


def test_a_row_of_padding_is_no_nan_and_changes_nothing(batch):
    model = make()
    model.loss(batch).backward()
    with_it = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    model.loss(rows(batch, slice(4))).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(with_it[name], parameter.grad)
    assert not model.users(batch)[4].any()


def test_padding_in_front_does_not_matter(batch):
    model = make()
    short = replace(batch, history=batch.history[:, 3:])
    torch.testing.assert_close(model.users(short)[3], model.users(batch)[3])
    with torch.no_grad():
        before = model.users(batch)[3]
        model.item.weight[0] += 10  # the row that padding is looked up in
        assert not (batch.history[3] == 0).any()
        torch.testing.assert_close(model.users(batch)[3], before)


def test_places_tell_orders_apart_and_without_them_the_last_place_reads_a_set(batch):
    def earlier_ones_swapped(model):
        swapped = batch.history.clone()
        swapped[:, [0, 1]] = swapped[:, [1, 0]]
        return (model.users(batch) - model.users(replace(batch, history=swapped)))[:3].abs().amax(-1)

    assert (earlier_ones_swapped(make(blocks=1)) > 1e-4).all()
    model = make(blocks=1)
    with torch.no_grad():
        model.place.zero_()
    assert (earlier_ones_swapped(model) < 1e-5).all()


def test_one_block_written_out(batch):
    model = make(blocks=1)
    block, row = model.blocks[0], 3
    history = batch.history[row][batch.history[row] != PAD]
    x = model.item.weight[history] * 8**0.5 + model.place[-len(history) :]
    normed = torch.stack([functional.layer_norm(each, (8,)) for each in x])
    w_key, w_value = block.key_and_value.weight.chunk(2)
    query = block.query.weight @ normed[-1]
    weight = torch.softmax(torch.stack([query @ (w_key @ each) / 8**0.5 for each in normed]), 0)
    attended = sum(w * (w_value @ each) for w, each in zip(weight, normed, strict=True))
    out = x[-1] + block.out.weight @ attended + block.out.bias
    first, _, _, second, _ = block.network
    hidden = torch.relu(first.weight @ functional.layer_norm(out, (8,)) + first.bias)
    out = functional.layer_norm(out + second.weight @ hidden + second.bias, (8,))
    torch.testing.assert_close(model.users(batch)[row, 0], out)


def test_no_logits_of_every_place_are_held(batch, monkeypatch):
    monkeypatch.setattr("recommender.models.layers.softmax._LOGITS_CPU", 300)
    model = make()
    big = rows(batch, torch.arange(100) % 5)
    with LargestTensor() as largest:
        model.loss(big).backward()
    assert largest.numel < 100 * L * 36 / 2


def test_dropout_is_training_s_alone(batch):
    model = make(dropout=0.5)
    assert model.loss(batch) == model.loss(batch)
    model.train()
    assert model.loss(batch) != model.loss(batch)


@pytest.mark.parametrize(
    "params",
    [
        {"dim": 0},
        {"history": 0},
        {"blocks": 0},
        {"heads": 0},
        {"heads": 3},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
)
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: SASRec needs"):
        build("sasrec", SMALL | params, toy_inputs())


@pytest.mark.parametrize("params", [{"negatives": "some"}, {"negatives": 0}, {"temperature": 0.0}])
def test_so_are_those_of_its_softmax(params):
    with pytest.raises(ModelError, match=rf"recommender\.params\.{next(iter(params))}"):
        build("sasrec", SMALL | params, toy_inputs())
