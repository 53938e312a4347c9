from dataclasses import replace

import pytest
import torch

from recommender.data.histories import PAD
from recommender.models import Batch, ModelError, build, scores
from recommender.testing import toy_inputs, toy_profile

SMALL = {"dim": 8, "profile_dim": 4, "history": 5}


def make(seed=0, **params):
    torch.manual_seed(seed)
    return build("uim", SMALL | params, toy_inputs()).eval()


@pytest.fixture
def batch():
    inputs = toy_inputs()
    user = torch.arange(inputs.users)
    return Batch(user, inputs.train.latest(user, 5), toy_profile(inputs))


@torch.no_grad()
def perturb(parameter):
    parameter.add_(torch.linspace(-0.5, 0.5, parameter.numel()).view_as(parameter))


def moved(first, second):
    """Users of whom every interest has moved."""
    return ((first - second).abs().amax(-1) > 1e-5).all(1)


@pytest.mark.parametrize("profile", [True, False])
def test_the_interest_reaches_the_output_which_the_printed_eq_11_would_lose(batch, profile):
    model = make(profile=profile)
    before = model.users(batch)
    perturb(model.capsule)  # W_k: only s_k depends on it
    assert moved(model.users(batch), before).all()


def test_interests_of_one_user_differ(batch):
    vectors = make().users(batch)
    assert vectors.shape == (48, 3, 8)
    distance = torch.cdist(vectors, vectors) + torch.eye(3)
    assert (distance > 1e-4).all()


def test_the_profile_reaches_gate_and_output(batch):
    model = make()
    other = replace(batch, profile=(batch.profile + 1) % torch.tensor([4, 3]))
    assert moved(model.users(batch), model.users(other)).all()


def test_without_the_profile_it_is_not_read(batch):
    model = make(profile=False)
    other = replace(batch, profile=(batch.profile + 1) % torch.tensor([4, 3]))
    assert torch.equal(model.users(batch), model.users(other))
    assert not [name for name, _ in model.named_parameters() if name.startswith(("fields", "gate", "weigh"))]


def test_without_the_profile_every_item_weighs_one(batch):
    from recommender.models.layers.routing import route

    model = make(profile=False, position=False)
    table = model.items()
    real = batch.history != PAD
    capsules = route(table[batch.history.clamp(min=0)], model.capsule, real.float(), model.first_logits)
    torch.testing.assert_close(model.users(batch), model.fuse(capsules))


def test_a_gate_of_one_half_halves_every_item(batch):
    from recommender.models.layers.routing import route

    model = make(position=False)
    with torch.no_grad():
        model.gate_out.weight.zero_()
        model.gate_out.bias.zero_()
    table = model.items()
    weight = 0.5 * (batch.history != PAD).float()
    capsules = route(table[batch.history.clamp(min=0)], model.capsule, weight, model.first_logits)
    fields = torch.stack([each(batch.profile[:, n]) for n, each in enumerate(model.fields)], 1)
    weighted = model.field_weights(batch)[..., None] * fields[:, None]  # Eq. 9-10
    torch.testing.assert_close(model.users(batch), model.fuse(torch.cat([weighted.flatten(2), capsules], -1)))


def test_field_weights_lie_between_zero_and_one_and_depend_on_the_interest(batch):
    weights = make().field_weights(batch)
    assert weights.shape == (48, 3, 2)
    assert ((weights > 0) & (weights < 1)).all()
    assert (weights[:, 0] != weights[:, 1]).any()


@pytest.mark.parametrize("params", [{"profile": False}, {"profile": True}])
def test_field_weights_without_profile_are_an_error(batch, params):
    inputs = toy_inputs() if not params["profile"] else replace(toy_inputs(), profile_sizes=())
    with pytest.raises(ModelError, match="without the profile"):
        build("uim", SMALL | params, inputs).field_weights(batch)


def test_what_stands_at_padding_does_not_matter(batch):
    model = make()
    history = batch.history.clone()
    history[:, :3] = PAD
    short = replace(batch, history=history)
    before = model.users(short)
    with torch.no_grad():
        model.item.weight[0] += 10  # the row that padding is looked up in
    without_it = ~(history == 0).any(1)
    assert without_it.any()
    torch.testing.assert_close(model.users(short)[without_it], before[without_it])


def test_places_tell_orders_apart_and_without_them_the_start_of_routing_alone_does(batch):
    backwards = replace(batch, history=batch.history.flip(1))
    model = make()
    perturb(model.place)
    assert moved(model.users(batch), model.users(backwards)).all()
    # One capsule takes all items whatever the routing: then a history without places is a set.
    model = make(position=False, interests=1)
    torch.testing.assert_close(model.users(batch), model.users(backwards))


def test_routing_starts_from_the_same_logits_in_every_model():
    assert torch.equal(make(seed=1).first_logits, make(seed=2).first_logits)


def test_text_is_added_to_the_item_and_an_item_without_text_is_its_id():
    model = make(visual=False)
    with_text, without = model.items(), model.item.weight
    torch.testing.assert_close(with_text[0], without[0])
    torch.testing.assert_close(with_text, without + toy_inputs().text.vectors @ model.text.weight.T)
    bare = make(text=False, visual=False)
    assert torch.equal(bare.items(), bare.item.weight)


def test_a_picture_is_added_to_the_item_and_an_item_without_picture_gets_nothing():
    model, visual = make(text=False), toy_inputs().visual
    added = model.items() - model.item.weight
    torch.testing.assert_close(added, visual.vectors @ model.visual.weight.T)
    assert not visual.present.all()
    assert not added[~visual.present].any()


def test_the_loss_is_the_softmax_over_the_catalogue_of_the_best_interest(batch):
    model = make(temperature=0.5)
    target = torch.arange(48) % 36
    users, items = model.users(batch), model.items()
    total = 0.0
    for user in range(48):
        logits = torch.stack([max(users[user] @ item) for item in items]) / 0.5
        total -= torch.log(torch.exp(logits[target[user]]) / torch.exp(logits).sum())
    torch.testing.assert_close(model.loss(replace(batch, target=target)), total / 48)


@pytest.mark.parametrize("interests", [1, 4])
def test_the_score_is_the_best_interest_s(batch, interests):
    model = make(interests=interests)
    users, items = model.users(batch), model.items()
    expected = torch.stack([(users[:, k] @ items.T) for k in range(interests)]).amax(0)
    torch.testing.assert_close(scores(users, items), expected)


@pytest.mark.parametrize(
    "params", [{"interests": 0}, {"history": 0}, {"dim": 0}, {"profile_dim": -1}, {"temperature": 0.0}]
)
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: UiM needs"):
        build("uim", params, toy_inputs())
