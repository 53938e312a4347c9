from dataclasses import replace

import pytest
import torch
from torch.nn.functional import leaky_relu

from recommender.data.histories import Histories
from recommender.features.modality import Modality
from recommender.models import Batch, ModelError, build
from recommender.testing import toy_inputs


def make(inputs=None, **params):
    torch.manual_seed(0)
    return build("mmgcn", {"dim": 8, **params}, inputs or toy_inputs()).eval()


def naive(model, inputs, features):
    """The paper's equations, node by node, features (modality, present) in the order of the model's networks."""
    takes = [
        set(inputs.train.item[inputs.train.start[u] : inputs.train.start[u + 1]].tolist())
        for u in range(inputs.users)
    ]
    taken = [{u for u in range(inputs.users) if i in takes[u]} for i in range(inputs.items)]
    zero = torch.zeros(8)

    def mean(vectors):
        return torch.stack(vectors).mean(0) if vectors else zero

    made = []
    for network, modality in zip(model.networks, features, strict=True):
        users = list(network.preference)
        projected = modality.vectors @ network.project.weight.T
        items = [projected[i] if modality.present[i] else None for i in range(inputs.items)]
        for layer in network.layers:

            def combined(x, received, identity, layer=layer):
                h = leaky_relu(layer.aggregate(received))
                own = leaky_relu(layer.keep(zero if x is None else x))
                return leaky_relu(layer.combine(h) + own + identity)

            of_users = [
                mean([items[i] for i in takes[u] if items[i] is not None]) for u in range(inputs.users)
            ]
            of_items = [mean([users[u] for u in taken[i]]) for i in range(inputs.items)]
            users = [combined(*each) for each in zip(users, of_users, model.user.weight, strict=True)]
            items = [combined(*each) for each in zip(items, of_items, model.item.weight, strict=True)]
        made.append((torch.stack(users), torch.stack(items)))
    return tuple(torch.stack(each).mean(0) for each in zip(*made, strict=True))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_its_tables_are_those_of_the_equations(layers):
    """Items 0 to 2 lack a modality: their users' means are over the other items."""
    inputs = toy_inputs()
    model = make(inputs, layers=layers)
    with torch.no_grad():
        for found, expected in zip(
            model.tables(), naive(model, inputs, [inputs.visual, inputs.text]), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_user_whose_items_all_lack_the_modality_is_served():
    inputs = toy_inputs()
    present = torch.ones(inputs.items, dtype=torch.bool)
    present[inputs.train.item[: inputs.train.start[1]]] = False
    visual = Modality.of("visual", inputs.visual.vectors + 0.1, present)
    model = make(replace(inputs, visual=visual, text=None), layers=2)
    with torch.no_grad():
        expected = naive(model, inputs, [visual])
        for found, right in zip(model.tables(), expected, strict=True):
            torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5)


def test_a_modality_that_no_item_has_and_one_that_is_off_are_left_out():
    inputs = toy_inputs()
    nobody = torch.zeros(inputs.items, dtype=torch.bool)
    nothing = Modality("visual", torch.zeros(inputs.items, 4), nobody)
    left_out = make(replace(inputs, visual=nothing))
    for model in (make(inputs, visual=False), make(replace(inputs, visual=None))):
        assert len(model.networks) == 1
        for first, second in zip(model.tables(), left_out.tables(), strict=True):
            assert torch.equal(first, second)


def test_without_any_modality_ids_tell_items_apart():
    model = make(replace(toy_inputs(), visual=None, text=None), layers=1)
    assert len(torch.unique(model.tables()[1], dim=0)) == toy_inputs().items


def test_whom_train_does_not_know_has_a_finite_score():
    inputs = toy_inputs()
    keep = inputs.train.item != 5
    sizes = torch.bincount(inputs.train.users()[keep], minlength=inputs.users + 1)
    start = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    model = make(replace(inputs, users=inputs.users + 1, train=Histories(start, inputs.train.item[keep])))
    users, items = model.tables()
    assert (users[-1] @ items.T).isfinite().all()
    assert (users @ items[5]).isfinite().all()


@pytest.mark.parametrize("params", [{"dim": 0}, {"layers": 0}, {"negatives": 0}, {"regularisation": -1.0}])
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params"):
        make(**params)


def test_the_norm_is_of_ids_and_preferences():
    inputs = toy_inputs()
    nothing = torch.zeros(1, 0, dtype=torch.int64)
    batch = Batch(torch.tensor([3]), nothing, nothing, torch.tensor([4]))
    losses = []
    for regularisation in (0.0, 1.0):
        model = make(inputs, negatives=1, regularisation=regularisation)
        torch.manual_seed(7)
        losses.append(model.loss(batch))
    torch.manual_seed(7)
    negative = model.pairwise.sampler.draw(batch.user, 1)[0, 0]
    rows = [model.user.weight[3], model.item.weight[4], model.item.weight[negative]]
    rows += [network.preference[3] for network in model.networks]
    torch.testing.assert_close(losses[1] - losses[0], sum(row.square().sum() for row in rows))
