from itertools import pairwise

import pytest
import torch
from torch import nn

from recommender.models import ModelError, Recommender, build
from recommender.testing import toy_inputs, toy_profile
from recommender.training import TrainingConfig
from recommender.training.distributed import Ranks
from recommender.training.examples import Examples
from recommender.training.optimisation import Optimisation

ALONE = Ranks(0, 1)


class Slope(Recommender):
    """A plane: the gradient is `slope` wherever it stands."""

    def __init__(self, slope=1.0):
        super().__init__()
        self.slope, self.weight = slope, nn.Parameter(torch.zeros(4))
        self.types = []

    def loss(self, batch):
        self.types.append((torch.eye(2) @ torch.eye(2)).dtype)
        return self.slope * self.weight.sum()

    def users(self, batch):
        raise NotImplementedError

    def items(self):
        raise NotImplementedError


def rates(steps, **options):
    """Learning rates of the steps: Adam on a constant gradient moves by exactly them."""
    model = Slope()
    optimisation = Optimisation(model, TrainingConfig(learning_rate=0.1, **options), steps, ALONE)
    places = [0.0]
    for number in range(steps):
        optimisation.step(None, number, 1)
        places.append(model.weight[0].item())
    return [round(before - after, 4) for before, after in pairwise(places)]


def test_the_learning_rate_is_constant_unless_asked():
    assert rates(5) == [0.1] * 5


def test_it_warms_up_and_falls_to_nothing_by_cosine():
    assert rates(4, warmup_steps=3) == [0.025, 0.05, 0.075, 0.1]
    assert rates(7, warmup_steps=2, schedule="cosine") == [
        0.0333,
        0.0667,
        0.1,
        0.0905,
        0.0655,
        0.0345,
        0.0095,
    ]


def test_a_long_gradient_is_scaled_down_and_a_short_one_is_left():
    for slope, expected in ((100.0, 0.5), (0.01, 0.01)):
        model = Slope(slope)
        Optimisation(model, TrainingConfig(clip_norm=1.0), 1, ALONE).step(None, 0, 1)
        assert model.weight.grad.tolist() == pytest.approx([expected] * 4)


def test_half_precision_is_of_the_loss_only():
    model = Slope()
    Optimisation(model, TrainingConfig(precision="bf16"), 1, ALONE).step(None, 0, 1)
    Optimisation(model, TrainingConfig(), 1, ALONE).step(None, 0, 1)
    assert model.types == [torch.bfloat16, torch.float32]
    assert model.weight.dtype == model.weight.grad.dtype == torch.float32


def losses(precision, name, params, steps=60):
    torch.manual_seed(0)
    inputs = toy_inputs()
    model = build(name, params, inputs).train()
    examples = Examples(model, inputs.train, toy_profile(inputs))
    config = TrainingConfig(precision=precision, learning_rate=5e-3)
    optimisation = Optimisation(model, config, steps, ALONE)
    rows = torch.arange(len(examples))
    return [optimisation.step(examples.batch(rows), n, 1).item() for n in range(steps)]


@pytest.mark.parametrize(("name", "params"), [("bprmf", {"dim": 8}), ("uim", {"dim": 8, "history": 6})])
def test_half_precision_learns_as_full_precision_does(name, params):
    full, half = losses("fp32", name, params), losses("bf16", name, params)
    assert full[-1] < 0.9 * full[0]
    assert half[-1] == pytest.approx(full[-1], rel=0.05)


def test_where_compiling_fails_training_goes_on_and_says_so(monkeypatch):
    def compiled(function):
        def fails(batch):
            raise RuntimeError("no compiler here\nmuch more")

        return fails

    monkeypatch.setattr(torch, "compile", compiled)
    model = Slope()
    optimisation = Optimisation(model, TrainingConfig(compile=True), 2, ALONE)
    assert optimisation.execution == "compiled"
    for number in range(2):
        optimisation.step(None, number, 1)
    assert optimisation.execution == "eager: torch.compile failed (RuntimeError: no compiler here)"
    assert model.weight[0].item() == pytest.approx(-0.002)


def test_a_mistake_of_the_model_is_not_taken_for_one_of_the_compiler(monkeypatch):
    class Broken(Slope):
        def loss(self, batch):
            raise ZeroDivisionError

    monkeypatch.setattr(torch, "compile", lambda function: function)
    optimisation = Optimisation(Broken(), TrainingConfig(compile=True), 1, ALONE)
    with pytest.raises(ZeroDivisionError):
        optimisation.step(None, 0, 1)
    assert optimisation.execution == "compiled"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 0}, "batch_size should"),
        ({"evaluate_every": 0, "patience": 0}, "patience, evaluate_every should"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"clip_norm": 0.0}, "clip_norm"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, named):
    with pytest.raises(ModelError, match=named):
        TrainingConfig(**options)
