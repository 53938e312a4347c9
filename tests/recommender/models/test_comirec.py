from dataclasses import replace

import pytest
import torch
from tensor_sizes import LargestTensor
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models import Batch, ModelError, build
from recommender.models.layers.routing import ROUNDS, squash
from recommender.testing import toy_inputs, toy_profile

SMALL = {"dim": 8, "history": 6, "interests": 3, "negatives": "full"}


def make(**params):
    torch.manual_seed(0)
    return build("comirec", SMALL | params, toy_inputs()).eval()


@pytest.fixture
def batch():
    """Histories of two to six items."""
    inputs = toy_inputs()
    user = torch.arange(inputs.users)
    history = inputs.train.before(user, 2 + user % 5, 6)
    return Batch(user, history, toy_profile(inputs), (user * 5) % inputs.items)


def written_out(model, history):
    """Interests (K, d) of one user: one map for each place and interest, coupling over interests, logits that add up."""
    k = model.config.interests
    places = [t for t in range(6) if history[t] != PAD]
    # The map of place t into all interests is stored side by side.
    votes = {t: (model.item.weight[history[t]] @ model.transform[t]).view(k, -1) for t in places}
    logits = {t: torch.zeros(k) for t in places}
    capsules = []
    for _ in range(ROUNDS):
        coupling = {t: torch.softmax(logits[t], 0) for t in places}
        capsules = [squash(sum(coupling[t][j] * votes[t][j] for t in places)) for j in range(k)]
        logits = {t: logits[t] + torch.stack([votes[t][j] @ capsules[j] for j in range(k)]) for t in places}
    return torch.stack(capsules)


def test_interests_are_the_algorithm_s(batch):
    model = make()
    vectors = model.users(batch)
    for user in range(12):
        torch.testing.assert_close(vectors[user], written_out(model, batch.history[user]))


def test_each_place_has_its_own_map(batch):
    model = make()
    full = (batch.history != PAD).all(1)
    moved = (model.users(batch) - model.users(replace(batch, history=batch.history.flip(1)))).abs().amax(-1)
    assert full.any()
    assert (moved[full] > 1e-5).all()


def test_interests_share_an_item_they_do_not_share_the_places(batch):
    """One interest takes every item whole; a softmax over places would only take their mean."""
    model = make(interests=1)
    votes = torch.einsum(
        "bld,lde->be",
        model.item(batch.history.clamp(min=0)) * (batch.history != PAD)[..., None],
        model.transform,
    )
    torch.testing.assert_close(model.users(batch)[:, 0], squash(votes))


def test_the_loss_is_the_softmax_of_the_nearest_interest_alone(batch):
    model = make(temperature=0.5)
    vectors, table = model.users(batch), model.items()
    total = 0.0
    for user in range(48):
        nearest = vectors[user, int((vectors[user] @ table[batch.target[user]]).argmax())]
        total += functional.cross_entropy((table @ nearest / 0.5)[None], batch.target[user, None])
    torch.testing.assert_close(model.loss(batch), total / 48)
    # Which is not the softmax of the best interest of each item.
    best = functional.cross_entropy(model.score(batch, table) / 0.5, batch.target)
    assert abs(model.loss(batch) - best) > 1e-3


def test_only_the_nearest_interest_is_taught(batch):
    model = make()
    vectors = model.users(batch).detach().requires_grad_()
    model.users = lambda batch: vectors
    model.loss(batch).backward()
    taught = vectors.grad.abs().amax(-1) > 0
    nearest = torch.einsum("bkd,bd->bk", vectors, model.items()[batch.target]).argmax(1)
    assert torch.equal(taught.nonzero()[:, 1], nearest)
    assert (taught.sum(1) == 1).all()


def test_no_map_of_each_item_is_held(batch):
    model = make(dim=16, interests=4)
    with LargestTensor() as largest:
        model.loss(batch).backward()
    # Votes are the largest there is: B x L x K x d, not x d.
    assert largest.numel <= max(48 * 6 * 4 * 16, model.transform.numel())


@pytest.mark.parametrize("params", [{"dim": 0}, {"interests": 0}, {"history": 0}])
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: ComiRec needs"):
        build("comirec", SMALL | params, toy_inputs())
