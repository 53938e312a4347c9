"""The conformance suite finds the faults it is there for: each broken model fails the test named beside it."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models import Recommender
from recommender.testing import TrainableConformance


@dataclass(frozen=True)
class MeanConfig:
    """Options of Mean."""

    dim: int = 8


class Mean(Recommender):
    """Sound: a user is the mean of the last items' vectors."""

    Config = MeanConfig
    history_length = 5

    def __init__(self, config, inputs):
        super().__init__()
        self.item = nn.Embedding(inputs.items, config.dim)
        self.output = nn.Embedding(inputs.items, config.dim)

    def loss(self, batch):
        return functional.cross_entropy(self.users(batch)[:, 0] @ self.items().T, batch.target)

    def users(self, batch):
        real = (batch.history != PAD).float()[..., None]
        vectors = self.item(batch.history.clamp(min=0)) * real
        return vectors.sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp(min=1)

    def items(self):
        return self.output.weight


class BatchNormed(Mean):
    def users(self, batch):
        vectors = super().users(batch)
        return vectors - vectors.mean(0, keepdim=True)


class Peeking(Mean):
    def users(self, batch):
        vectors = super().users(batch)
        return vectors if batch.target is None else vectors + self.item(batch.target)[:, None]


class RandomStart(Mean):
    def users(self, batch):
        return super().users(batch) + 0.1 * torch.rand(len(batch.user), 1, 1, device=batch.user.device)


class DividingByNothing(Mean):
    def users(self, batch):
        real = (batch.history != PAD).float()[..., None]
        return (self.item(batch.history.clamp(min=0)) * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)


class DeadWeight(Mean):
    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        self.forgotten = nn.Linear(2, 2)


class Misdirected(Mean):
    """Trained by one score, served by its opposite."""

    def loss(self, batch):
        return functional.cross_entropy(-self.users(batch)[:, 0] @ self.items().T, batch.target)


class LeftBehind(Mean):
    """A tensor that is neither parameter nor buffer."""

    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        self.scale = torch.ones(config.dim)

    def items(self):
        return super().items() * self.scale


class Unseeded(Mean):
    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        torch.seed()
        nn.init.normal_(self.item.weight)


class Untransposed(Mean):
    def items(self):
        return super().items().T


class NeedsText(Mean):
    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        self.register_buffer("text", inputs.text.vectors.clone(), persistent=False)


class Undeclared(Mean):
    """Looks at pictures without saying so: it would be built without them."""

    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        self.seen = inputs.visual is not None

    def items(self):
        return super().items() * (2 if self.seen else 1)


class Centred(Mean):
    """Takes the zero row of an item without text for a text, and divides by what no item has."""

    reads_text = True

    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        if inputs.text is not None:
            present = inputs.text.present
            mean = inputs.text.vectors.sum(0) / present.sum()
            self.register_buffer("away", (inputs.text.vectors - mean).sum(1, keepdim=True), persistent=False)
        else:
            self.away = 0

    def items(self):
        return super().items() + self.away


class Frozen(Mean):
    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        self.requires_grad_(requires_grad=False)


class Conformance(TrainableConformance):
    steps = 40

    def __init__(self, broken):
        self.model_name = f"{__name__}:{broken.__name__}"


FAULTS = {
    BatchNormed: "test_a_user_s_scores_do_not_depend_on_the_rest_of_the_batch",
    Peeking: "test_serving_does_not_look_at_targets",
    RandomStart: "test_serving_is_not_random",
    DividingByNothing: "test_a_user_without_history_and_profile_is_served",
    DeadWeight: "test_every_parameter_is_trained",
    Misdirected: "test_learning_lowers_the_loss_and_lifts_the_targets",
    LeftBehind: "test_it_moves_to_another_device_whole",
    Unseeded: "test_the_same_seed_builds_the_same_model",
    Untransposed: "test_vectors_have_the_shapes_of_the_contract",
    NeedsText: "test_it_builds_without_features_and_profile",
    Undeclared: "test_a_modality_that_it_does_not_declare_is_not_read",
    Centred: "test_items_without_any_modality_are_scored",
    Frozen: "test_it_says_whether_there_is_anything_to_train",
}


@pytest.mark.parametrize("broken", FAULTS, ids=lambda broken: broken.__name__)
def test_a_fault_fails_its_test(broken):
    with pytest.raises((AssertionError, AttributeError, RuntimeError)):
        getattr(Conformance(broken), FAULTS[broken])()


@pytest.mark.parametrize("name", sorted(set(FAULTS.values())))
def test_a_sound_model_passes_it(name):
    getattr(Conformance(Mean), name)()
