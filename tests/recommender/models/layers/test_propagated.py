"""Tables are kept while nothing changes, and no stale one is ever served."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from recommender.models import Batch
from recommender.models.layers.propagated import PropagatedRecommender
from recommender.training import load, save


@dataclass(frozen=True)
class NoConfig:
    """No options."""


class Doubled(PropagatedRecommender):
    """Tables of twice its weights; counts how often they are made."""

    Config = NoConfig

    def __init__(self, value=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((4, 2), value))
        self.made = 0

    def tables(self):
        self.made += 1
        return 2 * self.weight, 2 * self.weight

    def loss(self, batch):
        return self.tables()[0].sum()


BATCH = Batch(
    torch.tensor([1, 3]), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.int64)
)


@pytest.fixture
def model():
    return Doubled().eval()


@pytest.fixture(params=[torch.no_grad, torch.inference_mode])
def quiet(request):
    """The two ways to want no gradient."""
    return request.param


def served(model, quiet):
    """Users, items and scores, which must agree."""
    with quiet():
        users, items = model.users(BATCH), model.items()
        assert torch.equal(users[:, 0], items[BATCH.user])
        assert torch.equal(model.score(BATCH, model.catalogue()), users[:, 0] @ items.T)
        return float(items[0, 0])


def test_they_are_made_once_for_many_batches(model, quiet):
    assert [served(model, quiet) for _ in range(3)] == [2, 2, 2]
    assert model.made == 1


def test_a_step_without_leaving_evaluation_is_seen(model, quiet):
    served(model, quiet)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    model.loss(BATCH).backward()
    optimiser.step()
    assert served(model, quiet) == 2 * (1 - 0.5 * 2)


@pytest.mark.parametrize("optimiser", [torch.optim.AdamW, torch.optim.Adam])
@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"fused": True}])
def test_a_step_of_every_kind_of_optimiser_is_seen_by_the_next_evaluation(model, optimiser, options):
    """A fused one changes parameters without torch counting it."""
    before = served(model, torch.no_grad)
    optimiser = optimiser(model.parameters(), lr=0.5, **options)
    model.loss(BATCH).backward()
    optimiser.step()
    model.eval()
    assert served(model, torch.no_grad) < before


def test_loading_is_seen(model, quiet, tmp_path):
    served(model, quiet)
    save(Doubled(7.0), tmp_path / "weights.pt")
    load(model, tmp_path / "weights.pt")
    assert served(model, quiet) == 14
    model.load_state_dict(Doubled(3.0).state_dict(), assign=True)
    assert served(model, quiet) == 6


def test_loading_into_a_whole_that_it_is_part_of_is_seen(model, quiet):
    whole, other = nn.ModuleList([model]), nn.ModuleList([Doubled(7.0)])
    served(model, quiet)
    whole.load_state_dict(other.state_dict())
    assert served(model, quiet) == 14


def test_a_move_is_seen(model, quiet):
    served(model, quiet)
    nn.ModuleList([model]).to(torch.float64)
    with quiet():
        assert model.items().dtype == torch.float64
    model.to("meta")
    with quiet():
        assert model.items().device.type == model.users(BATCH).device.type == "meta"


def test_a_change_behind_the_back_of_torch_is_seen_after_train_or_eval(model, quiet):
    served(model, quiet)
    model.weight.data.fill_(5)
    model.eval()
    assert served(model, quiet) == 10


def test_training_keeps_nothing(model, quiet):
    model.train()
    with quiet():
        model.items()
        model.items()
    assert model.made == 2


def test_with_gradients_they_are_made_anew_and_differentiable(model, quiet):
    served(model, quiet)
    model.items().sum().backward()
    assert (model.weight.grad == 2).all()


def test_what_was_kept_can_meet_other_gradients(model, quiet):
    served(model, quiet)
    probe = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        items = model.items()
    (items @ probe).sum().backward()
    assert probe.grad.tolist() == [8, 8]
