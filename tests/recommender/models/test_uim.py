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
    assert not [name for name, _ in model.named_parameters() if name.startswith(("fields", "gate", "weigh."))]


def test_without_the_profile_every_item_weighs_one(batch):
    from recommender.models.layers.routing import route

    model = make(profile=False, position=False, recency=False)
    table = model.items()
    real = batch.history != PAD
    capsules = route(table[batch.history.clamp(min=0)], model.capsule, real.float(), model.first_logits)
    torch.testing.assert_close(model.users(batch), model.fuse(capsules))


def test_a_gate_of_one_half_halves_every_item(batch):
    from recommender.models.layers.routing import route

    model = make(position=False, recency=False)
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
        model.tower.item.weight[0] += 10  # the row that padding is looked up in
    without_it = ~(history == 0).any(1)
    assert without_it.any()
    torch.testing.assert_close(model.users(short)[without_it], before[without_it])


def test_places_tell_orders_apart_and_without_them_the_start_of_routing_alone_does(batch):
    backwards = replace(batch, history=batch.history.flip(1))
    model = make()
    perturb(model.place)
    assert moved(model.users(batch), model.users(backwards)).all()
    # One capsule takes all items whatever the routing: then a history without places is a set.
    model = make(position=False, recency=False, interests=1)
    torch.testing.assert_close(model.users(batch), model.users(backwards))


def test_routing_starts_from_the_same_logits_in_every_model():
    assert torch.equal(make(seed=1).first_logits, make(seed=2).first_logits)


def test_multi_interest_off_is_one_capsule(batch):
    one, off = make(interests=1), make(multi_interest=False)
    assert torch.equal(off.users(batch), one.users(batch))


@pytest.mark.parametrize("graph", [True, False])
def test_with_nothing_of_its_own_it_is_exactly_mcln(batch, graph):
    model = make(profile=False, multi_interest=False, graph=graph, attention=True, visual_weight=0.5)
    torch.manual_seed(0)
    mcln = build("mcln", {"dim": 8, "graph": graph, "visual_weight": 0.5}, toy_inputs()).eval()
    assert torch.equal(model.items(), mcln.items())
    assert torch.equal(model.users(batch), mcln.users(batch))
    taken = replace(batch, target=torch.arange(48) % 36)
    losses = []
    for each in (model, mcln):
        torch.manual_seed(1)
        losses.append(each.train().loss(taken))
    assert torch.equal(*losses)
    assert len(list(model.parameters())) == len(list(mcln.parameters()))
    assert model.history_length == mcln.history_length == 0


@pytest.mark.parametrize(
    ("profile", "multi_interest"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_every_row_of_table_iii_is_another_model(batch, profile, multi_interest):
    model = make(profile=profile, multi_interest=multi_interest)
    other = replace(batch, profile=(batch.profile + 1) % torch.tensor([4, 3]))
    assert model.users(batch).shape[1] == (3 if multi_interest else 1)
    assert torch.equal(model.users(batch), model.users(other)) != profile
    back = replace(batch, history=torch.full_like(batch.history, PAD))
    assert torch.equal(model.users(batch), model.users(back)) != (profile or multi_interest)


def test_the_paper_s_reading_is_a_preset():
    torch.manual_seed(0)
    model = build("uim-faithful", SMALL, toy_inputs())
    assert model.place is None
    assert model.recent is None
    assert model.tower.graph is not None
    assert model.tower.attention
    assert model.softmax.negatives == "in_batch"


def test_the_loss_is_the_softmax_over_the_catalogue_of_the_best_interest(batch):
    model = make(temperature=0.5)
    target = torch.arange(48) % 36
    users, items = model.users(batch), model.items()
    total = 0.0
    for user in range(48):
        logits = torch.stack([max(users[user] @ item) for item in items]) / 0.5
        total -= torch.log(torch.exp(logits[target[user]]) / torch.exp(logits).sum())
    torch.testing.assert_close(model.loss(replace(batch, target=target)), total / 48)


def test_the_loss_can_be_over_a_drawn_few_and_over_the_batch(batch):
    taken = replace(batch, target=torch.arange(48) % 36)
    full, many, few = (
        make(negatives=negatives, shared=True).loss(taken) for negatives in ("full", 20_000, 5)
    )
    torch.testing.assert_close(many, full, rtol=0.02, atol=0)
    assert not torch.isclose(few, full, rtol=1e-3)
    assert make(negatives="in_batch").loss(taken).isfinite()


def test_a_hard_readout_trains_the_interest_that_likes_the_target_best(batch):
    model = make(label_aware=True)
    target = torch.arange(48) % 36
    users, items = model.users(batch), model.items()
    total = 0.0
    for user in range(48):
        best = (users[user] @ items[target[user]]).argmax()
        total -= torch.log_softmax(items @ users[user, best], 0)[target[user]]
    torch.testing.assert_close(model.loss(replace(batch, target=target)), total / 48)


def test_a_bias_is_added_to_the_score(batch):
    model = make(item_bias=True)
    before = scores(model.users(batch), model.items())
    perturb(model.bias)
    added = scores(model.users(batch), model.items()) - before
    torch.testing.assert_close(added, model.bias[:, 0].expand(48, -1), atol=1e-5, rtol=0)


def test_cosine_scores_lie_within_one(batch):
    model = make(cosine=True)
    table = scores(model.users(batch), model.items())
    assert table.abs().max() <= 1 + 1e-5
    torch.testing.assert_close(model.items().norm(dim=1), torch.ones(36))


def test_diversity_adds_the_mean_squared_cosine_between_capsules(batch):
    taken = replace(batch, target=torch.arange(48) % 36)
    plain, weighted = make().loss(taken), make(diversity=2.0).loss(taken)
    model = make()
    table = model.tables()[1]
    unit = torch.nn.functional.normalize(model._capsules(*model._history(batch, table)), dim=-1)
    pairs = [(unit[:, a] * unit[:, b]).sum(-1) ** 2 for a, b in ((0, 1), (0, 2), (1, 2))]
    torch.testing.assert_close(weighted - plain, 2 * torch.stack(pairs).mean(), rtol=1e-4, atol=1e-5)


def test_dropout_is_for_training_alone(batch):
    model = make(dropout=0.5)
    assert torch.equal(model.users(batch), model.users(batch))
    model.train()
    assert not torch.equal(model.users(batch), model.users(batch))


@pytest.mark.parametrize("interests", [1, 4])
def test_the_score_is_the_best_interest_s(batch, interests):
    model = make(interests=interests)
    users, items = model.users(batch), model.items()
    expected = torch.stack([(users[:, k] @ items.T) for k in range(interests)]).amax(0)
    torch.testing.assert_close(scores(users, items), expected)


@pytest.mark.parametrize(
    "params",
    [
        {"interests": 0},
        {"history": 0},
        {"dim": 0},
        {"profile_dim": -1},
        {"dropout": 1.0},
        {"diversity": -1.0},
    ],
)
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: UiM needs"):
        build("uim", params, toy_inputs())


def test_truncated_examples_keep_their_newest_items_alone():
    from recommender.models.uim import _truncated

    history = torch.arange(8).expand(4000, 8)
    torch.manual_seed(0)
    cut = _truncated(history, 0.5)
    kept = (cut != PAD).sum(1)
    assert (cut == PAD).int().diff(dim=1).le(0).all(), "what is left is the newest, without a gap"
    assert torch.equal(cut[cut != PAD], history[cut != PAD])
    # Half are whole, and an eighth of the other half by chance.
    assert (kept == 8).float().mean().item() == pytest.approx(0.5 + 0.5 / 8, abs=0.04)
    assert kept.min() == 1
    assert torch.equal(_truncated(history, 0.0), history)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ModelError, match="truncate"):
        make(truncate=1.5)
