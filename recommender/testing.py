"""What every recommender holds to, as test classes that the author of a model inherits. Needs pytest.

    from recommender.testing import TrainableConformance

    class TestMine(TrainableConformance):
        model_name = "my_package.my_module:MyModel"
        params = {"dim": 16}

`pytest.register_assert_rewrite("recommender.testing")` in a conftest.py makes failures show the values compared.
"""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from recommender.data.dataset import Interactions
from recommender.data.histories import PAD, Histories
from recommender.features.modality import Modality
from recommender.models import Batch, Inputs, ModelError, Recommender, build, model_class, scores
from recommender.training import TrainingConfig, load, save, train

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_GROUPS, _USERS, _ITEMS = 3, 48, 36


def toy_inputs() -> Inputs:
    """48 users of three tastes over 36 items; each taste takes its 12 items in one order, 7 to 10 of them.

    Two profile fields: the taste (unknown for user 0) and one that says nothing. Text and pictures tell the tastes apart;
    item 0 has no text, item 1 no picture, item 2 neither. Users are called u0, u1, ... and items i0, i1, ...
    """
    generator = np.random.default_rng(0)
    per_group = _ITEMS // _GROUPS
    taste = np.arange(_USERS) % _GROUPS
    rows = []
    for user in range(_USERS):
        places = (generator.integers(per_group) + np.arange(generator.integers(7, 11))) % per_group
        rows += [(user, taste[user] * per_group + place) for place in places]
    user, item = np.array(rows, dtype=np.int32).T
    ones = np.ones(len(user))
    inter = Interactions(user, item, ones.astype(np.float32), np.arange(len(user)))
    group = torch.arange(_ITEMS) // per_group
    features = []
    for name, without in (("text", [0, 2]), ("visual", [1, 2])):
        noise = torch.from_numpy(0.1 * generator.random((_ITEMS, _GROUPS), dtype=np.float32))
        present = torch.ones(_ITEMS, dtype=torch.bool)
        present[without] = False
        features.append(Modality.of(name, one_hot(group).float() + noise, present))
    return Inputs(
        _USERS,
        _ITEMS,
        Histories.of(inter, _USERS),
        (_GROUPS + 1, 3),
        features[0],
        features[1],
        tuple(f"u{number}" for number in range(_USERS)),
        tuple(f"i{number}" for number in range(_ITEMS)),
    )


def toy_profile(inputs: Inputs) -> Tensor:
    """(U, F) labels within `inputs.profile_sizes`; in `toy_inputs` the first field is the taste."""
    user = torch.arange(inputs.users)
    columns = [user % (size - 1) + 1 for size in inputs.profile_sizes]
    profile = torch.stack(columns, 1) if columns else torch.zeros(inputs.users, 0, dtype=torch.int64)
    profile[0] = 0
    return profile


class ScoringConformance:
    """What models with vectors and without have to hold to. Set `model_name`; override `inputs` where a model needs other data."""

    model_name: ClassVar[str]
    """A registered name or `module:Class`."""
    params: ClassVar[Mapping[str, Any]] = {}
    """The model's options, small, so that the suite is quick."""
    trainable: ClassVar[bool] = False

    def inputs(self) -> Inputs:
        """What the model is built from."""
        return toy_inputs()

    def build(self, inputs: Inputs | None = None, seed: int = 0) -> Recommender:
        """The model under test, in evaluation mode."""
        torch.manual_seed(seed)
        return build(self.model_name, self.params, inputs or self.inputs()).eval()

    def batch(self, model: Recommender, inputs: Inputs) -> Batch:
        """All users before the last item of their history, which is the target."""
        user = torch.arange(inputs.users)
        last = inputs.train.sizes() - 1
        history = inputs.train.before(user, last, model.history_length)
        target = inputs.train.item[inputs.train.start[1:] - 1]
        return Batch(user, history, toy_profile(inputs)[user], target)

    def test_the_config_is_a_frozen_dataclass(self) -> None:
        """So that a run can record the options and nothing changes them afterwards."""
        config = model_class(self.model_name).Config
        assert is_dataclass(config)
        assert getattr(config, "__dataclass_params__").frozen  # noqa: B009 (typing does not know the attribute)

    def test_an_unknown_parameter_is_refused(self) -> None:
        """A misspelt option must not be ignored."""
        with pytest.raises(ModelError, match="no_such_parameter"):
            build(self.model_name, {**self.params, "no_such_parameter": 1}, self.inputs())

    def test_it_says_whether_there_is_anything_to_train(self) -> None:
        """Inherit from `TrainableConformance` for a model with parameters."""
        assert self.build().trainable == self.trainable

    def test_the_loss_is_a_finite_scalar(self) -> None:
        """Of a batch with targets."""
        inputs = self.inputs()
        model = self.build(inputs).train()
        loss = model.loss(self.batch(model, inputs))
        assert loss.shape == ()
        assert loss.isfinite()

    def test_a_user_s_scores_do_not_depend_on_the_rest_of_the_batch(self) -> None:
        """Alone, in a batch and in another order: the same up to rounding."""
        inputs = self.inputs()
        model = self.build(inputs)
        batch = self.batch(model, inputs)
        together = self._scores(model, batch)
        order = torch.randperm(inputs.users)
        torch.testing.assert_close(self._scores(model, _take(batch, order)), together[order])
        for user in range(0, inputs.users, 7):
            alone = self._scores(model, _take(batch, torch.tensor([user])))
            torch.testing.assert_close(alone[0], together[user])

    def test_serving_does_not_look_at_targets(self) -> None:
        """The target is what is to be predicted."""
        inputs = self.inputs()
        model = self.build(inputs)
        batch = self.batch(model, inputs)
        without = self._scores(model, replace(batch, target=None))
        assert batch.target is not None
        assert torch.equal(self._scores(model, batch), without)
        assert torch.equal(self._scores(model, replace(batch, target=batch.target.flip(0))), without)

    def test_serving_is_not_random(self) -> None:
        """In evaluation mode nothing is drawn."""
        inputs = self.inputs()
        model = self.build(inputs)
        batch = self.batch(model, inputs)
        torch.manual_seed(1)
        first = self._scores(model, batch)
        torch.manual_seed(2)
        assert torch.equal(self._scores(model, batch), first)

    def test_a_user_without_history_and_profile_is_served(self) -> None:
        """Cold start: finite vectors."""
        inputs = self.inputs()
        model = self.build(inputs)
        batch = self.batch(model, inputs)
        cold = replace(
            batch, history=torch.full_like(batch.history, PAD), profile=torch.zeros_like(batch.profile)
        )
        assert self._scores(model, cold).isfinite().all()

    def test_an_empty_batch_is_no_error(self) -> None:
        """No user, no score."""
        inputs = self.inputs()
        model = self.build(inputs)
        nobody = _take(self.batch(model, inputs), torch.zeros(0, dtype=torch.int64))
        assert self._scores(model, nobody).shape == (0, inputs.items)

    def test_it_builds_without_features_and_profile(self) -> None:
        """Data sets without text or demographics are trained on too."""
        inputs = _bare(self.inputs())
        model = self.build(inputs)
        batch = self.batch(model, inputs)
        assert self._scores(model, batch).isfinite().all()
        assert model.loss(batch).isfinite()

    def test_items_without_any_modality_are_scored(self) -> None:
        """Texts and pictures that no item has: no mean over nobody, no division by a length of zero."""
        inputs = self.inputs()
        nothing = Modality(
            "nothing", torch.zeros(inputs.items, 4), torch.zeros(inputs.items, dtype=torch.bool)
        )
        inputs = replace(inputs, text=nothing, visual=nothing)
        model = self.build(inputs)
        batch = self.batch(model, inputs)
        assert self._scores(model, batch).isfinite().all()
        assert model.loss(batch).isfinite()

    def test_a_modality_that_it_does_not_declare_is_not_read(self) -> None:
        """What no model declares is not made: a score that needs it would differ from run to run."""
        cls, inputs = model_class(self.model_name), self.inputs()
        declared = replace(
            inputs,
            text=inputs.text if cls.reads_text else None,
            visual=inputs.visual if cls.reads_visual else None,
        )
        full, less = self.build(inputs), self.build(declared)
        _same_state(full, less)
        batch = self.batch(full, inputs)
        assert torch.equal(self._scores(full, batch), self._scores(less, batch))

    def test_the_same_seed_builds_the_same_model(self) -> None:
        """All of the state, buffers included."""
        _same_state(self.build(seed=3), self.build(seed=3))

    def test_saved_weights_give_the_same_scores(self, tmp_path: Path) -> None:
        """Also in a model that was built with another seed."""
        inputs = self.inputs()
        model, other = self.build(inputs, seed=0), self.build(inputs, seed=1)
        save(model, tmp_path / "weights.pt")
        load(other, tmp_path / "weights.pt")
        batch = self.batch(model, inputs)
        assert torch.equal(self._scores(model, batch), self._scores(other, batch))

    def test_weights_of_another_model_are_refused(self, tmp_path: Path) -> None:
        """Never loaded in part."""
        torch.save({"no_such_parameter": torch.zeros(1)}, tmp_path / "weights.pt")
        with pytest.raises(ModelError, match=r"weights\.pt"):
            load(self.build(), tmp_path / "weights.pt")

    def test_it_moves_to_another_device_whole(self) -> None:
        """Every tensor it computes with is a parameter or a buffer; the meta device shows what was forgotten."""
        inputs = self.inputs()
        meta = torch.device("meta")
        model = self.build(inputs)
        batch = self.batch(model, inputs).to(meta)
        model.to(meta)
        assert model.device == meta
        assert self._scores(model, batch).device == meta

    @staticmethod
    def _scores(model: Recommender, batch: Batch) -> Tensor:
        with torch.inference_mode():
            return model.score(batch, model.catalogue())


class RecommenderConformance(ScoringConformance):
    """For models that are complete once built: all of the above, and vectors."""

    def test_vectors_have_the_shapes_of_the_contract(self) -> None:
        """(B, K, d) of users and (I, d) of items, all finite; items 0 to 2 of the toy lack a modality, user 0 a profile."""
        inputs = self.inputs()
        model = self.build(inputs)
        users, items = model.users(self.batch(model, inputs)), model.items()
        assert users.ndim == 3
        assert items.shape == (inputs.items, users.shape[2])
        assert len(users) == inputs.users
        assert users.isfinite().all()
        assert items.isfinite().all()

    def test_the_exported_vectors_reproduce_the_scores(self) -> None:
        """So that an index of vectors finds what the model would rank."""
        inputs = self.inputs()
        model = self.build(inputs)
        batch = self.batch(model, inputs)
        with torch.inference_mode():
            torch.testing.assert_close(
                scores(model.users(batch), model.items()), model.score(batch, model.catalogue())
            )


class VectorlessConformance(ScoringConformance):
    """For models whose scores are no inner products: what needs their vectors is told so."""

    def test_it_says_that_it_has_no_vectors(self) -> None:
        """What `recommender.export --vectors` then tells its user."""
        inputs = self.inputs()
        model = self.build(inputs)
        with pytest.raises(ModelError, match="vectors"):
            model.users(self.batch(model, inputs))
        with pytest.raises(ModelError, match="vectors"):
            model.items()


class TrainableConformance(RecommenderConformance):
    """For models with parameters: all of the above, and that training does what serving then shows."""

    trainable = True
    steps: ClassVar[int] = 60
    """Steps of Adam in which the toy must be learnt."""
    learning_rate: ClassVar[float] = 0.02

    def test_every_parameter_is_trained(self) -> None:
        """A parameter without a gradient is dead weight, or a mistake; with features and profile and without."""
        for inputs in (self.inputs(), _bare(self.inputs())):
            model = self.build(inputs).train()
            model.loss(_examples(model, inputs)).backward()
            untouched = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
            assert untouched == []

    def test_learning_lowers_the_loss_and_lifts_the_targets(self) -> None:
        """In serving's own scores, so that training and serving cannot go different ways."""
        inputs = self.inputs()
        model = self.build(inputs)
        examples = _examples(model, inputs)
        before = self._loss(model, examples), self._rank(model, examples)
        self._learn(model, examples)
        after = self._loss(model, examples), self._rank(model, examples)
        assert after[0] < before[0]
        assert after[1] < 0.6 * before[1]

    def test_the_same_seed_trains_the_same_weights(self) -> None:
        """And another seed others."""
        first, second, third = (self._trained(seed) for seed in (0, 0, 1))
        _same_state(first, second)
        assert any(not torch.equal(p, q) for p, q in zip(first.parameters(), third.parameters(), strict=True))

    def test_held_out_items_do_not_reach_the_weights(self) -> None:
        """Validation only chooses among epochs; with one epoch there is nothing to choose."""
        _same_state(self._trained(0), self._trained(0, shift=5))

    def _trained(self, seed: int, shift: int = 0) -> Recommender:
        inputs = self.inputs()
        model = self.build(inputs, seed)
        user = np.arange(inputs.users, dtype=np.int32)
        item = ((user + shift) % inputs.items).astype(np.int32)
        held_out = Interactions(
            user, item, np.ones(len(user), dtype=np.float32), np.zeros(len(user), np.int64)
        )
        config = TrainingConfig(max_epochs=1, batch_size=64, seed=seed)
        torch.seed()  # what happened since the model was built must not matter
        train(model, inputs.train, toy_profile(inputs), held_out, config)
        return model

    def _learn(self, model: Recommender, examples: Batch) -> None:
        model.train()
        optimiser = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
        for _ in range(self.steps):
            optimiser.zero_grad()
            model.loss(examples).backward()
            optimiser.step()
        model.eval()

    @staticmethod
    def _loss(model: Recommender, examples: Batch) -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(model.loss(examples))

    def _rank(self, model: Recommender, examples: Batch) -> float:
        """Mean number of items scored at least as high as the target, itself included."""
        assert examples.target is not None
        table = self._scores(model, examples)
        return float((table >= table.gather(1, examples.target[:, None])).sum(1).float().mean())


def _take(batch: Batch, rows: Tensor) -> Batch:
    target = None if batch.target is None else batch.target[rows]
    return Batch(batch.user[rows], batch.history[rows], batch.profile[rows], target)


def _bare(inputs: Inputs) -> Inputs:
    return replace(inputs, text=None, visual=None, profile_sizes=())


def _examples(model: Recommender, inputs: Inputs) -> Batch:
    """Every item of train with what came before it, first items left out."""
    user = inputs.train.users()
    position = torch.arange(len(user)) - inputs.train.start[user]
    keep = position >= 1
    user, position, target = user[keep], position[keep], inputs.train.item[keep]
    history = inputs.train.before(user, position, model.history_length)
    return Batch(user, history, toy_profile(inputs)[user], target)


def _same_state(first: Recommender, second: Recommender) -> None:
    left, right = first.state_dict(), second.state_dict()
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []
