"""From a scenario to split data, features and a trained recommender."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from agents.randomness import keyed_generator
from recommender import data
from recommender.data.candidate_file import save_candidates
from recommender.data.candidates import sample_candidates
from recommender.data.content import with_images, with_texts
from recommender.data.dataset import DataError
from recommender.data.histories import Histories
from recommender.data.splitting import prepare
from recommender.evaluation import evaluate
from recommender.features.catalogue import catalogue_text, catalogue_visual
from recommender.features.profile import ProfileLabels
from recommender.models import Inputs, build, configure, model_class
from recommender.training import TrainingConfig, pick_device, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from recommender.data.dataset import Dataset
    from recommender.data.splitting import Split
    from recommender.features.catalogue import CatalogueFeatures
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
    dataset = data.load(chosen.source, chosen.path, chosen.seed, chosen.tolerance)
    if chosen.texts is not None:
        dataset = with_texts(dataset, chosen.texts, chosen.tolerance)
    if chosen.max_users is not None and chosen.max_users < len(dataset.users):
        generator = keyed_generator(scenario.seed, "max_users")
        kept = np.zeros(len(dataset.users), dtype=bool)
        kept[generator.permutation(len(dataset.users))[: chosen.max_users]] = True
        dataset = dataset.with_interactions(dataset.interactions.take(kept[dataset.interactions.user]))
    split = prepare(dataset, chosen.min_rating, chosen.core, chosen.split)
    if not len(split.validation) or not len(split.test):
        raise DataError(
            f"{dataset.name}: histories are too short for a validation and a test part; raise data.core, or use "
            "data.split: leave-one-out"
        )
    return Prepared(split, ProfileLabels(split.dataset, split.train), _fingerprint(split))


def check_recommender(scenario: Scenario) -> None:
    """ModelError if the scenario's model, one of its options or its device does not exist; before anything is read."""
    chosen = scenario.recommender
    configure(model_class(chosen.model).Config, chosen.params, chosen.model)
    pick_device(chosen.device)


def train_recommender(
    scenario: Scenario,
    prepared: Prepared,
    candidates: Callable[[str], Path],
    progress: Callable[[int, int, str], None],
) -> tuple[Recommender, dict[str, Any]]:
    """The scenario's recommender, trained on all users, and its log with full-ranking metrics at validation and test.

    Where the scenario asks for sampled negatives, those of a phase are stored in the file `candidates(phase)`.
    """
    split, labels = prepared.split, prepared.labels
    users = len(split.dataset.users)
    history = Histories.of(split.train, users)
    device = pick_device(scenario.recommender.device)
    text, visual = _features(scenario, prepared, device, progress)
    inputs = Inputs(
        users,
        len(split.dataset.items),
        history,
        labels.sizes,
        text.modality if text else None,
        visual.modality if visual else None,
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
    sampled: dict[str, Any] = {}
    for phase in ("validation", "test"):
        served = Histories.of(split.history(phase), users)
        targets = split.targets(phase)
        full[phase] = _means(*evaluate(model, served, profile, targets, [10, 50]))
        if scenario.data.negatives is not None:
            drawn = sample_candidates(split, phase, scenario.data.negatives, scenario.seed)
            save_candidates(drawn, split, candidates(phase))
            sampled[phase] = _means(*evaluate(model, served, profile, targets, [10], drawn))
    return model, {
        "data": split.dataset.label,
        "model": scenario.recommender.model,
        "device": str(device),
        "features": {
            each.modality.name: {
                "source": each.source,
                "dim": each.modality.dim,
                "missing_share": each.modality.missing_share,
                "unreadable": dict(each.unreadable),
            }
            for each in (text, visual)
            if each is not None
        },
        "full_ranking": full,
        "sampled_ranking": sampled,
        **log.as_dict(),
    }


def _features(
    scenario: Scenario, prepared: Prepared, device: torch.device, progress: Callable[[int, int, str], None]
) -> tuple[CatalogueFeatures | None, CatalogueFeatures | None]:
    """Text and pictures of the items, as far as the model reads them."""
    model = model_class(scenario.recommender.model)
    dataset = prepared.split.dataset
    text = visual = None
    if model.reads_text:
        text = catalogue_text(
            dataset.items,
            scenario.features.text,
            device,
            scenario.seed,
            lambda done, planned: progress(done, planned, "encoding texts"),
        )
    if model.reads_visual:
        if scenario.data.images is not None:
            dataset = with_images(dataset, scenario.data.images)
        visual = catalogue_visual(
            dataset.items,
            scenario.features.visual,
            device,
            lambda done, planned: progress(done, planned, "encoding pictures"),
        )
    return text, visual


def _means(users: NDArray[np.int64], metrics: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    return {"users": len(users)} | {name: float(value.mean()) for name, value in metrics.items()}


def _fingerprint(split: Split) -> str:
    digest = hashlib.sha256()
    dataset: Dataset = split.dataset
    # Where pictures lie says nothing of what they show, and differs from machine to machine.
    for table in (dataset.users, dataset.items.drop(columns="image", errors="ignore")):
        digest.update(table.to_json(orient="split", force_ascii=True).encode())
    for part in (split.train, split.validation, split.test):
        for column in (part.user, part.item, part.rating, part.time):
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
