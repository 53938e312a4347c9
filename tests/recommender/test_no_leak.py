"""What is held out reaches nothing that is fitted: corrupt it all, and every fitted bit stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recommender.data import Interactions, load
from recommender.data.histories import Histories
from recommender.data.splitting import concatenate, prepare
from recommender.features.profile import ProfileLabels
from recommender.features.text import text_features
from recommender.models import Inputs, build
from recommender.training import TrainingConfig, train

MODELS = {"popularity": {}, "bprmf": {"dim": 8}, "uim": {"dim": 8, "profile_dim": 2, "history": 8}}


@pytest.fixture(scope="module")
def split():
    data = load("embedded")
    return prepare(data.with_interactions(data.interactions.take(data.interactions.user < 100)))


def corrupted(part, items, seed):
    """Other items, ratings and times in each row; the user stays, or it would be another user's target."""
    generator = np.random.default_rng(seed)
    n = len(part)
    return Interactions(
        part.user,
        ((part.item + generator.integers(1, items, n)) % items).astype(np.int32),
        (6 - part.rating + generator.random(n)).astype(np.float32),
        part.time - generator.integers(1, 10**9, n),
    )


def with_parts(split, **parts):
    changed = replace(split, **parts)
    everything = concatenate(concatenate(changed.train, changed.validation), changed.test)
    return replace(changed, dataset=split.dataset.with_interactions(everything))


def fitted(split):
    """All that is computed before serving, by name."""
    users, items = len(split.dataset.users), len(split.dataset.items)
    labels = ProfileLabels(split.dataset, split.train)
    profile = labels.labels(split.train)
    history = Histories.of(split.train, users)
    inputs = Inputs(users, items, history, labels.sizes, text_features(split.dataset.items, dim=8))
    found = {
        "profile": profile,
        "train": inputs.train.item,
        "starts": inputs.train.start,
        "text": inputs.text.vectors,
    }
    for name, params in MODELS.items():
        torch.manual_seed(0)
        model = build(name, params, inputs)
        train(model, history, profile, split.validation, TrainingConfig(max_epochs=1, batch_size=256))
        found |= {f"{name}.{key}": value for key, value in model.state_dict().items()}
        found |= {f"{name}.{key}": value for key, value in model.named_buffers()}
        found[f"{name} items"] = model.items().detach()
    return found, labels.fields


def test_corrupting_every_held_out_row_changes_no_bit(split):
    items = len(split.dataset.items)
    other = with_parts(
        split,
        validation=corrupted(split.validation, items, 1),
        test=corrupted(split.test, items, 2),
    )
    assert (other.validation.item != split.validation.item).all()
    assert (other.test.time != split.test.time).all()
    before, fields = fitted(split)
    after, other_fields = fitted(other)
    assert fields == other_fields
    assert before.keys() == after.keys()
    assert {"popularity items", "bprmf.user.weight", "uim.capsule"} <= before.keys()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


def test_corrupting_train_does_change_them(split):
    other = with_parts(split, train=corrupted(split.train, len(split.dataset.items), 3))
    before, after = fitted(split)[0], fitted(other)[0]
    same = {
        name
        for name in before
        if before[name].shape == after[name].shape and torch.equal(before[name], after[name])
    }
    # Histories keep their lengths; text and the first routing logits know no interactions at all.
    assert same <= {
        "starts",
        "text",
        "uim.text_features",
        "uim.first_logits",
        "bprmf.sampler.start",
        "bprmf.sampler.free",
    }
