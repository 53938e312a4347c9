"""From a scenario to split data, features and a trained recommender."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from agents.randomness import keyed_generator
from recommender import data
from recommender.data.dataset import DataError
from recommender.data.histories import Histories
from recommender.data.splitting import prepare
from recommender.evaluation import evaluate
from recommender.features.profile import ProfileLabels
from recommender.features.text import text_features
from recommender.models import Inputs, build, configure, model_class
from recommender.training import TrainingConfig, pick_device, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommender.data.dataset import Dataset
    from recommender.data.splitting import Split
    from recommender.models import Recommender
    from simulator.scenario import Scenario


@dataclass(frozen=True)
class Prepared:
    """Data as the experiment uses them."""

    split: Split
    labels: ProfileLabels
    fingerprint: str
    """Hash of users, items and interactions after filtering."""


def prepare_data(scenario: Scenario) -> Prepared:
    """Read, filter and split; DataError says what is wrong with the data."""
    chosen = scenario.data
    dataset = data.load(chosen.source, chosen.path, chosen.seed)
    if chosen.max_users is not None and chosen.max_users < len(dataset.users):
        generator = keyed_generator(scenario.seed, "max_users")
        kept = np.zeros(len(dataset.users), dtype=bool)
        kept[generator.permutation(len(dataset.users))[: chosen.max_users]] = True
        dataset = dataset.with_interactions(dataset.interactions.take(kept[dataset.interactions.user]))
    split = prepare(dataset, chosen.min_rating, chosen.core)
    if not len(split.validation) or not len(split.test):
        raise DataError(
            f"{dataset.name}: histories are too short for a validation and a test part; raise data.core"
        )
    return Prepared(split, ProfileLabels(split.dataset, split.train), _fingerprint(split))


def check_recommender(scenario: Scenario) -> None:
    """ModelError if the scenario's model, one of its options or its device does not exist; before anything is read."""
    chosen = scenario.recommender
    configure(model_class(chosen.model).Config, chosen.params, chosen.model)
    pick_device(chosen.device)


def train_recommender(
    scenario: Scenario, prepared: Prepared, progress: Callable[[int, int, str], None]
) -> tuple[Recommender, dict[str, Any]]:
    """The scenario's recommender, trained on all users, and its log with full-ranking metrics at validation and test."""
    split, labels = prepared.split, prepared.labels
    users = len(split.dataset.users)
    history = Histories.of(split.train, users)
    device = pick_device(scenario.recommender.device)
    reads_text = model_class(scenario.recommender.model).reads_text
    inputs = Inputs(
        users,
        len(split.dataset.items),
        history,
        labels.sizes,
        text_features(split.dataset.items, seed=scenario.seed) if reads_text else None,
    )
    torch.manual_seed(scenario.seed)
    model = build(scenario.recommender.model, scenario.recommender.params, inputs).to(device)
    profile = labels.labels(split.train)
    training = scenario.recommender.training
    config = TrainingConfig(
        training.max_epochs,
        training.patience,
        training.batch_size,
        training.learning_rate,
        training.weight_decay,
        scenario.seed,
    )
    log = train(model, history, profile, split.validation, config, progress)
    full: dict[str, Any] = {}
    for phase in ("validation", "test"):
        served = Histories.of(split.history(phase), users)
        evaluated, metrics = evaluate(model, served, profile, split.targets(phase), [10, 50])
        full[phase] = {"users": len(evaluated)} | {
            name: float(value.mean()) for name, value in metrics.items()
        }
    return model, {
        "data": split.dataset.label,
        "model": scenario.recommender.model,
        "device": str(device),
        "full_ranking": full,
        **log.as_dict(),
    }


def _fingerprint(split: Split) -> str:
    digest = hashlib.sha256()
    dataset: Dataset = split.dataset
    for table in (dataset.users, dataset.items):
        digest.update(table.to_json(orient="split", force_ascii=True).encode())
    for part in (split.train, split.validation, split.test):
        for column in (part.user, part.item, part.rating, part.time):
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
