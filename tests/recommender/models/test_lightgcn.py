from dataclasses import replace

import pytest
import torch

from recommender.data.histories import Histories
from recommender.models import Batch, ModelError, build, scores
from recommender.testing import toy_inputs


def make(inputs=None, **params):
    torch.manual_seed(0)
    return build("lightgcn", {"dim": 8, **params}, inputs or toy_inputs()).eval()


def with_strangers(inputs):
    """One more user and one more item, which train does not know."""
    start = torch.cat([inputs.train.start, inputs.train.start[-1:]])
    train = Histories(start, inputs.train.item)
    return replace(
        inputs, users=inputs.users + 1, items=inputs.items + 1, train=train, text=None, visual=None
    )


def test_its_tables_are_the_mean_of_the_layers_of_the_dense_graph():
    inputs = toy_inputs()
    model = make(inputs, layers=3)
    matrix = torch.zeros(inputs.users, inputs.items, dtype=torch.float64)
    matrix[inputs.train.users(), inputs.train.item] = 1
    norm = matrix.sum(1, keepdim=True) ** -0.5 * matrix * matrix.sum(0) ** -0.5
    users, items = [model.user.weight.double()], [model.item.weight.double()]
    for _ in range(3):
        users, items = [*users, norm @ items[-1]], [*items, norm.T @ users[-1]]
    for found, layers in zip(model.tables(), (users, items), strict=True):
        torch.testing.assert_close(found.double(), sum(layers) / 4, rtol=1e-5, atol=1e-6)


def test_whom_train_does_not_know_keeps_its_own_embedding_and_has_finite_scores():
    inputs = with_strangers(toy_inputs())
    model = make(inputs, layers=2)
    users, items = model.tables()
    torch.testing.assert_close(users[-1], model.user.weight[-1] / 3)
    torch.testing.assert_close(items[-1], model.item.weight[-1] / 3)
    nothing = torch.zeros(2, 0, dtype=torch.int64)
    batch = Batch(torch.tensor([0, inputs.users - 1]), nothing, nothing)
    assert scores(model.users(batch), model.items()).isfinite().all()


def test_the_norm_is_of_the_embeddings_before_propagation():
    inputs = toy_inputs()
    nothing = torch.zeros(3, 0, dtype=torch.int64)
    batch = Batch(torch.arange(3), nothing, nothing, torch.tensor([4, 5, 6]))
    losses = []
    for regularisation in (0.0, 1.0):
        model = make(inputs, negatives=1, regularisation=regularisation)
        torch.manual_seed(7)
        losses.append(model.loss(batch))
    torch.manual_seed(7)
    negative = model.pairwise.sampler.draw(batch.user, 1)[:, 0]
    rows = (model.user.weight[:3], model.item.weight[batch.target], model.item.weight[negative])
    torch.testing.assert_close(losses[1] - losses[0], sum(row.square().sum() for row in rows) / 3)


@pytest.mark.parametrize(
    "params",
    [{"dim": 0}, {"layers": -1}, {"negatives": 0}, {"regularisation": -1.0}, {"sender_exponent": -1.0}],
)
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params"):
        make(**params)
