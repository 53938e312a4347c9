"""What is held out reaches nothing that is fitted: corrupt it all, and every fitted bit stays."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from recommender.data import Interactions, load
from recommender.data.histories import Histories
from recommender.data.splitting import SplitKind, concatenate, prepare
from recommender.features.profile import ProfileLabels
from recommender.features.text import text_features
from recommender.models import Inputs, build
from recommender.training import TrainingConfig, train

MODELS = {
    "popularity": {},
    "itemknn": {},
    "ease": {},
    "bprmf": {"dim": 8},
    "svdpp": {"dim": 8},
    "vbpr": {"dim": 8, "visual_dim": 2},
    "sasrec": {"dim": 8, "history": 8, "negatives": 50, "popularity": 1.0},
    "comirec": {"dim": 8, "history": 8, "negatives": "in_batch"},
    "uim": {"dim": 8, "profile_dim": 2, "history": 8},
    "lightgcn": {"dim": 8},
    "mmgcn": {"dim": 8},
    "mmgcl": {"dim": 8},
}


@pytest.fixture(scope="module", params=get_args(SplitKind))
def split(request):
    data = load("embedded")
    few = data.with_interactions(data.interactions.take(data.interactions.user < 100))
    return prepare(few, split=request.param)


def corrupted(part, items, seed):
    """Other items, ratings (every third unknown) and times in each row; the user stays, or it would be another's target."""
    generator = np.random.default_rng(seed)
    n = len(part)
    return Interactions(
        part.user,
        ((part.item + generator.integers(1, items, n)) % items).astype(np.int32),
        np.where(np.arange(n) % 3, 6 - part.rating + generator.random(n), np.nan).astype(np.float32),
        part.time - generator.integers(1, 10**9, n),
    )


def with_parts(split, **parts):
    changed = replace(split, **parts)
    everything = concatenate(changed.history("test"), changed.test)
    return replace(changed, dataset=split.dataset.with_interactions(everything))


def held_out_corrupted(split):
    items = len(split.dataset.items)
    other = with_parts(
        split, validation=corrupted(split.validation, items, 1), test=corrupted(split.test, items, 2)
    )
    for part in ("validation", "test"):
        before, after = getattr(split, part), getattr(other, part)
        assert len(before)
        for column in ("item", "rating", "time"):
            assert (getattr(after, column) != getattr(before, column)).all()
    return other


def features(split):
    """All that is computed before a model is built, by name; and the inputs of the models."""
    users, items = len(split.dataset.users), len(split.dataset.items)
    labels = ProfileLabels(split.dataset, split.train)
    history = Histories.of(split.history("validation"), users)
    inputs = Inputs(users, items, history, labels.sizes, text_features(split.dataset.items, dim=8))
    found = {
        "labels fitted": labels.labels(split.train),
        "labels served at validation": labels.labels(split.history("validation")),
        "label counts": torch.tensor(labels.sizes),
        "train items": inputs.train.item,
        "train starts": inputs.train.start,
        "text": inputs.text.vectors,
    }
    return found, inputs


def fitted(split):
    """All that is computed before serving at validation, trained weights included, by name."""
    found, inputs = features(split)
    profile = found["labels fitted"]
    for name, params in MODELS.items():
        torch.manual_seed(0)
        model = build(name, params, inputs)
        train(model, inputs.train, profile, split.validation, TrainingConfig(max_epochs=1, batch_size=256))
        # Also buffers that are not saved, such as those that negatives are drawn from.
        found |= {f"{name}.{key}": value for key, value in model.named_parameters()}
        found |= {f"{name}.{key}": value for key, value in model.named_buffers()}
        found[f"{name} items"] = model.items().detach()
    return found


def differing(before, after):
    """Names of what is not bit-identical; a name that only one side has is different too."""
    assert before
    return {
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or not _same_bits(before[name], after[name])
    }


def _same_bits(first, second):
    if (first.shape, first.dtype) != (second.shape, second.dtype):
        return False
    return first.detach().numpy().tobytes() == second.detach().numpy().tobytes()


def leaks(split, fit):
    """What `fit` computes otherwise once every held-out row is corrupted."""
    return differing(fit(split), fit(held_out_corrupted(split)))


def test_corrupting_every_held_out_row_changes_no_bit(split):
    assert leaks(split, fitted) == set()


def test_what_is_compared_is_all_that_is_fitted(split):
    names = fitted(split).keys()
    assert {"labels fitted", "text", "train items", "popularity items"} <= names
    assert {"bprmf.user.weight", "bprmf.pairwise.sampler.start", "uim.capsule"} <= names
    assert {"sasrec.softmax.sampler.log_q", "comirec.softmax.log_share"} <= names
    assert {
        "bprmf.user.weight",
        "bprmf.pairwise.sampler.start",
        "uim.capsule",
        "lightgcn.graph.item_of_user",
    } <= names


def popularity_of_everything(split):
    everything = split.dataset.interactions
    return {"planted": torch.from_numpy(np.bincount(everything.item, minlength=len(split.dataset.items)))}


def labels_fitted_on_everything(split):
    labels = ProfileLabels(split.dataset, split.dataset.interactions)
    return {"planted": labels.labels(split.train)}


def labels_served_from_the_targets(split):
    labels = ProfileLabels(split.dataset, split.train)
    return {"planted": labels.labels(concatenate(split.train, split.validation))}


def history_of_test(split):
    return {"planted": Histories.of(split.history("test"), len(split.dataset.users)).item}


def text_that_says_what_comes(split):
    items = split.dataset.items.copy()
    items.loc[np.unique(split.test.item), "description"] += " awaited"
    return {"planted": text_features(items, dim=8).vectors}


def a_clock_of_the_last_row(split):
    """One number in a whole model: the smallest leak there is."""
    return {"planted": torch.tensor([split.dataset.interactions.time.min()])}


def weights_trained_on_validation(split):
    users, items = len(split.dataset.users), len(split.dataset.items)
    known = Histories.of(split.history("test"), users)
    torch.manual_seed(0)
    model = build("bprmf", {"dim": 4}, Inputs(users, items, Histories.of(split.train, users)))
    nothing = torch.zeros(users, 0, dtype=torch.int64)
    train(model, known, nothing, split.validation, TrainingConfig(max_epochs=1, batch_size=1024))
    return {"planted": model.item.weight}


@pytest.mark.parametrize(
    "planted",
    [
        popularity_of_everything,
        labels_fitted_on_everything,
        labels_served_from_the_targets,
        history_of_test,
        text_that_says_what_comes,
        a_clock_of_the_last_row,
        weights_trained_on_validation,
    ],
)
def test_a_planted_leak_is_found_and_nothing_else(split, planted):
    def fit(split):
        return features(split)[0] | planted(split)

    assert leaks(split, fit) == {"planted"}


def test_corrupting_train_changes_all_that_is_fitted_to_interactions(split):
    other = with_parts(split, train=corrupted(split.train, len(split.dataset.items), 3))
    before, after = fitted(split), fitted(other)
    # Histories keep their lengths; text and which items have it, the sizes of the profile and the first routing logits
    # know no interactions; items of an item-to-item model are the identity.
    assert before.keys() - differing(before, after) <= {
        "train starts",
        "text",
        "label counts",
        "uim.tower.text.features",
        "uim.tower.present",
        "uim.tower.weight",
        "uim.first_logits",
        "bprmf.pairwise.sampler.start",
        "bprmf.pairwise.sampler.free",
        "svdpp.sampler.start",
        "svdpp.sampler.free",
        "svdpp.train_start",
        "itemknn items",
        "ease items",
        "vbpr.pairwise.sampler.start",
        "vbpr.pairwise.sampler.free",
        "comirec.softmax.start",
        "mmgcn.networks.0.features",
        "mmgcl.modalities.0.features",
    }
