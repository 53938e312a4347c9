"""What is told of single users is what the model computes with."""

import numpy as np
import pytest
import torch

from recommender.data.histories import Histories
from recommender.evaluation import item_vectors, rank
from recommender.insight import insights
from recommender.models import ModelError, build
from recommender.models.layers.routing import squash
from recommender.testing import toy_inputs, toy_profile

SMALL = {"dim": 8, "profile_dim": 4, "history": 9}
USERS = np.array([5, 0, 17, 30])


@pytest.fixture(scope="module")
def inputs():
    return toy_inputs()


def made(inputs, model="uim", **params):
    torch.manual_seed(0)
    return build(model, SMALL | params, inputs).train()


def told(model, inputs, users=USERS):
    return insights(model, users, inputs.train, toy_profile(inputs))


@pytest.mark.parametrize("model", ["uim", "uim-faithful"])
def test_shapes_ranges_and_history(model, inputs):
    found = told(made(inputs, model), inputs)
    for user, each in zip(USERS.tolist(), found, strict=True):
        length = len(each.history)
        start, end = inputs.train.start[user], inputs.train.start[user + 1]
        assert each.history.tolist() == inputs.train.item[start:end][-9:].tolist()
        assert (each.weights.shape, each.interests.shape) == ((3, 2), (3, 8))
        assert (each.attention.shape, each.routing.shape) == ((length,), (length, 3))
        assert ((each.weights > 0) & (each.weights < 1)).all()
        assert ((each.attention > 0) & (each.attention < 1)).all()
        assert each.routing.sum(1) == pytest.approx(np.ones(length), abs=1e-6)


@pytest.mark.parametrize("params", [{}, {"cosine": True, "item_bias": True}])
def test_the_best_interest_gives_the_score_that_ranks(params, inputs):
    model = made(inputs, **params)
    vectors = item_vectors(model)
    nothing = Histories(torch.zeros(inputs.users + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    scores, items = rank(model, USERS, inputs.train, toy_profile(inputs), nothing, 5)
    for each, score, item in zip(told(model, inputs), scores, items, strict=True):
        assert each.likes(vectors[item]).max(1) == pytest.approx(score, abs=1e-5)


def test_routing_is_that_which_the_capsules_are_made_with(inputs):
    model = made(inputs, profile=True, position=False, recency=False).eval()
    (each,) = told(model, inputs, USERS[:1])
    with torch.no_grad():
        items = model.items()[torch.from_numpy(each.history)]
        pooled = torch.from_numpy(each.routing * each.attention[:, None]).T @ items
        capsules = squash((model.capsule @ pooled[..., None])[..., 0])
        hidden = torch.stack([model.fields[n](toy_profile(inputs)[USERS[0], n]) for n in range(2)])
        parts = torch.cat([(torch.from_numpy(each.weights)[..., None] * hidden).flatten(1), capsules], dim=1)
        assert model.fuse(parts).numpy() == pytest.approx(each.interests, abs=1e-5)


def test_the_model_is_left_as_it_was(inputs):
    model = made(inputs)
    told(model, inputs)
    assert model.training


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("bprmf", {}, "has no profile weights per interest; UiM has"),
        ("uim", {"profile": False, **SMALL}, "without the profile"),
        ("uim", {"profile": False, "multi_interest": False, "dim": 8}, "without the profile"),
    ],
)
def test_what_has_no_weights_is_refused(name, params, message, inputs):
    with pytest.raises(ModelError, match=message):
        told(build(name, params, inputs), inputs)
