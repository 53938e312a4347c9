import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cosine_similarity

from recommender.models import Batch, ModelError, build
from recommender.models.mmgcl import info_nce
from recommender.testing import toy_inputs


def make(inputs=None, **params):
    torch.manual_seed(0)
    return build("mmgcl", {"dim": 8, **params}, inputs or toy_inputs()).eval()


def batch_of(inputs):
    nothing = torch.zeros(inputs.users, 0, dtype=torch.int64)
    return Batch(torch.arange(inputs.users), nothing, nothing, inputs.train.item[inputs.train.start[1:] - 1])


def loss_of(model, inputs, seed=5):
    torch.manual_seed(seed)
    return model.loss(batch_of(inputs))


@pytest.mark.parametrize("hard", [False, True])
def test_info_nce_is_that_of_single_rows(hard):
    torch.manual_seed(0)
    first, second, hard_first, hard_second = torch.randn(4, 6, 3)
    total = 0.0
    for here, there, wrong in ((first, second, hard_second), (second, first, hard_first)):
        for n in range(6):
            against = [*there, wrong[n]] if hard else [*there]
            logits = [float(cosine_similarity(here[n], each, dim=0)) / 0.3 for each in against]
            total += math.log(sum(math.exp(each) for each in logits)) - logits[n]
    found = info_nce(first, second, 0.3, (hard_first, hard_second) if hard else None)
    assert float(found) == pytest.approx(total / 12, rel=1e-5)


def test_each_branch_is_a_lightgcn_and_one_projection_joins_them():
    inputs = toy_inputs()
    model = make(inputs, layers=2)
    layer0 = [model.item.weight]
    layer0 += [
        modality.vectors @ projection.weight.weight.T
        for modality, projection in zip((inputs.visual, inputs.text), model.modalities, strict=True)
    ]
    made = [model.graph.propagate(user, item, 2) for user, item in zip(model.preference, layer0, strict=True)]
    for found, side in zip(model.tables(), zip(*made, strict=True), strict=True):
        torch.testing.assert_close(found, torch.cat(side, dim=1) @ model.project.weight.T)


@pytest.mark.parametrize("missing", ["visual", "text"])
def test_each_branch_is_fed_with_its_own_modality(missing):
    inputs = toy_inputs()
    model = make(inputs)
    other = "text" if missing == "visual" else "visual"
    (branch,) = make(replace(inputs, **{missing: None})).modalities
    assert torch.equal(branch.features, getattr(inputs, other).vectors)
    assert [
        torch.equal(each.features, getattr(inputs, name).vectors)
        for each, name in zip(model.modalities, ("visual", "text"), strict=True)
    ] == [True, True]


@pytest.fixture
def contrasts(monkeypatch):
    """What InfoNCE was given, in order: users, then items."""
    seen = []

    def spy(first, second, temperature, hard=None):
        seen.append((first.detach(), second.detach(), hard))
        return info_nce(first, second, temperature, hard)

    monkeypatch.setattr("recommender.models.mmgcl.info_nce", spy)
    return seen


@pytest.mark.parametrize("bare", [False, True])
def test_two_different_views_are_contrasted_and_neither_is_what_is_served(contrasts, bare):
    inputs = toy_inputs()
    if bare:
        inputs = replace(inputs, visual=None, text=None)
    model = make(inputs, edge_dropout=0.3)
    loss_of(model, inputs)
    served = model.tables()
    targets = torch.unique(batch_of(inputs).target)
    assert len(contrasts) == 2
    for (first, second, _), table, rows in zip(contrasts, served, (inputs.users, len(targets)), strict=True):
        assert first.shape == second.shape == (rows, 8)
        assert not (first == second).all(1).any()
        for view in (first, second):
            nearest = torch.cdist(view, table.detach()).amin(1)
            assert (nearest > 1e-4).float().mean() > 0.8


def test_the_second_view_lacks_exactly_one_modality_and_either_is_drawn(contrasts):
    """Ids are never masked."""
    inputs = toy_inputs()
    model = make(inputs, edge_dropout=0.0)
    users, _ = model._branches(thin=False)
    weights = model.project.weight.split(8, dim=1)
    without = [sum(users[m] @ weights[m].T for m in range(3) if m != masked) for masked in range(3)]
    drawn = set()
    for seed in range(12):
        contrasts.clear()
        loss_of(model, inputs, seed)
        first, second, _ = contrasts[0]
        # The whole graph without dropout: the first view is what is served, row by row in another order.
        order = torch.cdist(first, model.tables()[0].detach()).argmin(1)
        drawn |= {m for m in range(3) if torch.allclose(second, without[m].detach()[order], atol=1e-5)}
    assert drawn == {1, 2}


def test_hard_negatives_are_the_item_with_one_branch_of_another(contrasts):
    inputs = toy_inputs()
    model = make(inputs, edge_dropout=0.0)
    _, branches = model._branches(thin=False)
    weights = model.project.weight.split(8, dim=1)
    parts = torch.stack(
        [branch @ weight.T for branch, weight in zip(branches, weights, strict=True)]
    ).detach()
    loss_of(model, inputs)
    first, _, hard = contrasts[1]
    for own, swapped in zip(first, hard[0].detach(), strict=True):
        item = int(torch.cdist(own[None], parts.sum(0)).argmin())
        possible = parts.sum(0)[item] - parts[:, item][:, None] + parts
        distance = (possible - swapped).norm(dim=-1)
        distance[:, item] = torch.inf
        assert distance.min() < 1e-4


def test_hard_negatives_raise_the_loss(monkeypatch):
    inputs = toy_inputs()
    model = make(inputs, contrast=1.0)
    used = loss_of(model, inputs)
    monkeypatch.setattr("recommender.models.mmgcl.info_nce", lambda a, b, t, hard=None: info_nce(a, b, t))
    assert used > loss_of(model, inputs) + 0.01


def test_serving_makes_no_view():
    inputs = toy_inputs()
    model = make(inputs)
    state = torch.get_rng_state()
    for mode in (True, False):
        model.train(mode)
        first, second = model.tables(), model.tables()
        assert all(torch.equal(*each) for each in zip(first, second, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_without_contrast_it_is_bpr_alone(contrasts):
    inputs = toy_inputs()
    model = make(inputs, contrast=0.0)
    loss_of(model, inputs)
    assert contrasts == []


def test_no_more_are_contrasted_than_asked_and_none_twice(contrasts):
    inputs = toy_inputs()
    loss_of(make(inputs, contrasted=5), inputs)
    for first, _, _ in contrasts:
        assert len(torch.unique(first, dim=0)) == len(first) == 5


@pytest.mark.parametrize(
    "params",
    [
        {"dim": 0},
        {"layers": -1},
        {"contrast": -0.1},
        {"contrasted": 0},
        {"temperature": 0.0},
        {"edge_dropout": 1.0},
        {"edge_dropout": -0.1},
        {"negatives": 0},
    ],
)
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params"):
        make(**params)
