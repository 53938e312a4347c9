import pytest
import torch
from recommender_doubles import Lookup, interactions
from torch import nn

from recommender.data import DataError
from recommender.data.histories import PAD, Histories
from recommender.models import ModelError, Recommender, build
from recommender.testing import toy_inputs, toy_profile
from recommender.training import TrainingConfig, pick_device, train

NOBODY = torch.zeros(2, 0, dtype=torch.int64)
HELD_OUT = interactions([(0, 0, 5, 9)])
HISTORY = Histories.of(interactions([(0, 5, 5, 0), (0, 6, 5, 1), (0, 7, 5, 2), (1, 8, 5, 0)]), 2)


class Climber(Recommender):
    """One weight that grows by the learning rate each step; the held-out item 0 ranks best where it is near `peak`."""

    def __init__(self, peak, history_length=0):
        super().__init__()
        self.peak, self.history_length = peak, history_length
        self.weight = nn.Parameter(torch.zeros(()))
        self.batches = []

    def loss(self, batch):
        self.batches.append(batch)
        return -self.weight

    def users(self, batch):
        return torch.ones(len(batch.user), 1, 1)

    def items(self):
        mine = 1 - 1.5 * (self.weight - self.peak).abs()
        return torch.cat([mine[None], torch.arange(1, 10) / 10])[:, None]


def climb(model, **options):
    config = TrainingConfig(learning_rate=0.1, **options)
    return train(model, HISTORY, NOBODY, HELD_OUT, config)


def test_training_stops_after_patience_and_keeps_the_best_epoch_s_weights():
    model = Climber(peak=0.3)
    log = climb(model, patience=2)
    assert [round(epoch.ndcg, 4) for epoch in log.epochs] == [
        round(1 / float(torch.log2(torch.tensor(float(rank + 1)))), 4) for rank in (3, 2, 1, 2, 3)
    ]
    assert (log.best, log.ndcg) == (3, 1.0)
    assert model.weight.item() == pytest.approx(0.3, abs=1e-5)


def test_training_stops_at_max_epochs_and_the_last_may_be_the_best():
    model = Climber(peak=0.9)
    log = climb(model, max_epochs=4)
    assert [epoch.number for epoch in log.epochs] == [1, 2, 3, 4]
    assert log.best == 4
    assert model.weight.item() == pytest.approx(0.4, abs=1e-5)


def test_of_equal_epochs_the_first_is_kept():
    log = climb(Climber(peak=1000), patience=1)
    assert (log.best, len(log.epochs)) == (1, 2)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, [(0, [], 5), (0, [], 6), (0, [], 7), (1, [], 8)]),
        (2, [(0, [PAD, 5], 6), (0, [5, 6], 7)]),
    ],
)
def test_an_example_is_an_item_and_what_came_strictly_before_it(length, expected):
    model = Climber(0.5, history_length=length)
    climb(model, max_epochs=1, batch_size=3)
    found = [
        (user, history, target)
        for batch in model.batches
        for user, history, target in zip(
            batch.user.tolist(), batch.history.tolist(), batch.target.tolist(), strict=True
        )
    ]
    assert sorted(found) == expected


def test_the_seed_decides_the_order_of_examples():
    orders = []
    for seed in (0, 0, 1, 2):
        model = Climber(0.5)
        climb(model, max_epochs=3, batch_size=1, seed=seed)
        orders.append([batch.target.item() for batch in model.batches])
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3
    assert sorted(orders[0][:4]) == sorted(orders[0][4:8]) == [5, 6, 7, 8]
    assert orders[0][:4] != orders[0][4:8] or orders[0][:4] != orders[0][8:]


def test_progress_tells_the_steps_of_each_epoch():
    said = []
    config = TrainingConfig(max_epochs=2, batch_size=2)
    train(Climber(0.5), HISTORY, NOBODY, HELD_OUT, config, lambda *args: said.append(args))
    assert [(step, steps) for step, steps, _ in said] == [(2, 2), (2, 2)]
    assert "epoch 1" in said[0][2]
    assert "epoch 2" in said[1][2]


def test_a_model_without_parameters_is_only_evaluated():
    log = train(
        Lookup([[2, 1], [0, 0]]), Histories.of(interactions([]), 2), NOBODY, HELD_OUT, TrainingConfig()
    )
    assert (log.epochs, log.best, log.ndcg) == ([], 0, 1.0)


def test_nothing_to_train_on_is_said():
    alone = Histories.of(interactions([(0, 1, 5, 0)]), 2)
    with pytest.raises(ModelError, match="nothing to train on"):
        train(Climber(0.5, history_length=3), alone, NOBODY, HELD_OUT, TrainingConfig())


def test_nothing_to_choose_an_epoch_by_is_said():
    with pytest.raises(DataError, match="nothing to evaluate on"):
        train(Climber(0.5), HISTORY, NOBODY, interactions([]), TrainingConfig())


def test_divergence_is_an_error_that_says_what_to_lower():
    inputs = toy_inputs()
    model = build("bprmf", {"dim": 4}, inputs)
    config = TrainingConfig(learning_rate=1e30, batch_size=64)
    with pytest.raises(ModelError, match=r"diverged in epoch \d+: loss (nan|inf); lower the learning rate"):
        train(model, inputs.train, toy_profile(inputs), HELD_OUT, config)


def test_weights_that_break_in_the_last_step_are_an_error_too():
    # The loss of every step is finite; the step it leads to is not.
    inputs = toy_inputs()
    model = build("bprmf", {"dim": 4}, inputs)
    model.user.weight.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(ModelError, match="not numbers"):
        train(model, inputs.train, toy_profile(inputs), HELD_OUT, TrainingConfig(max_epochs=1))


@pytest.mark.parametrize(
    ("name", "there", "expected"),
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cuda", True, "cuda"), ("cpu", True, "cpu")],
)
def test_the_device_is_the_one_asked_for(monkeypatch, name, there, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert pick_device(name) == torch.device(expected)


def test_cuda_asked_for_and_not_there_is_an_error_and_no_cpu_run(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"torch sees no CUDA device; .*recommender\.device=auto"):
        pick_device("cuda")


def test_validation_may_be_rarer_than_epochs_but_the_last_has_one():
    log = climb(Climber(peak=0.9), max_epochs=5, evaluate_every=2)
    assert [epoch.ndcg is None for epoch in log.epochs] == [True, False, True, False, False]
    assert log.best == 5


def test_patience_counts_epochs_where_validation_is_rare():
    log = climb(Climber(peak=1000), evaluate_every=2, patience=3)
    # Best at 2; at 4 only two epochs have passed.
    assert (log.best, len(log.epochs)) == (2, 6)
