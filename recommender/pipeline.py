"""From a scenario's data, features and recommender sections to a trained recommender and its metrics."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recommender import data
from recommender.caching import content_key
from recommender.configuration import Setup
from recommender.data.candidate_file import save_candidates
from recommender.data.candidates import sample_candidates
from recommender.data.content import with_images, with_texts
from recommender.data.dataset import DataError
from recommender.data.histories import Histories
from recommender.data.negatives import known_negatives
from recommender.data.splitting import prepare
from recommender.evaluation import evaluate
from recommender.features.catalogue import catalogue_text, catalogue_visual
from recommender.features.profile import ProfileLabels
from recommender.models import Inputs, build, configure, model_class
from recommender.trained_directory import read_json
from recommender.training import TrainingConfig, load, pick_device, train
from scenarios.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from recommender.data.dataset import Dataset, Interactions
    from recommender.data.splitting import Split
    from recommender.features.catalogue import CatalogueFeatures
    from recommender.models import Recommender
    from recommender.trained_directory import TrainedDirectory
    from recommender.training import Epoch, TrainingLog


def _silent(done: int, planned: int, note: str) -> None:
    pass


@dataclass(frozen=True)
class Prepared:
    """Data as they are trained on and evaluated."""

    split: Split
    labels: ProfileLabels
    fingerprint: str
    """Hash of users, items and interactions after filtering."""
    read: Dataset = field(repr=False, compare=False)
    """As read, before any filter."""
    min_rating: float
    _encoded: dict[tuple[str, str, int], CatalogueFeatures | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def profile(self) -> Tensor:
        """(U, F) labels of all users, from train."""
        return self.labels.labels(self.split.train)

    @cached_property
    def disliked(self) -> Interactions:
        """Ratings of the users below the threshold, at any time: known negatives, told to nobody."""
        return known_negatives(self.read, self.split.dataset, self.min_rating)

    def without(self, users: NDArray[np.int64]) -> Prepared:
        """The same data without what the users in these rows did, to be trained on.

        The edges between profile labels stay those of everybody, so that a label means the same before and after they come.
        """
        if not len(users):
            return self
        split = self.split
        train, validation, test = (
            part.take(~np.isin(part.user, users)) for part in (split.train, split.validation, split.test)
        )
        return replace(self, split=replace(split, train=train, validation=validation, test=test))

    def with_train(self, train: Interactions) -> Prepared:
        """The same data with another train part, sorted by user."""
        return replace(self, split=replace(self.split, train=train))

    @cached_property
    def train(self) -> Histories:
        """What everybody took in train."""
        return Histories.of(self.split.train, len(self.split.dataset.users))

    def served(self, phase: str) -> Histories:
        """What models may read, and must not propose, at "validation" or "test"."""
        return Histories.of(self.split.history(phase), len(self.split.dataset.users))

    def encoded(
        self, modality: str, source: str, seed: int, encode: Callable[[], CatalogueFeatures | None]
    ) -> CatalogueFeatures | None:
        """The items' features from `source`: made by `encode` the first time, whatever models ask for them later."""
        key = (modality, source, seed)
        if key not in self._encoded:
            self._encoded[key] = encode()
        return self._encoded[key]


@dataclass(frozen=True)
class Trained:
    """A recommender that was trained before, with its data."""

    setup: Setup
    prepared: Prepared
    model: Recommender


@dataclass(frozen=True)
class Built:
    """A recommender as the scenario describes it, and the features it was given."""

    model: Recommender
    features: tuple[CatalogueFeatures, ...]


def prepare_data(setup: Setup) -> Prepared:
    """Read, filter and split; DataError says what is wrong with the data."""
    chosen = setup.data
    dataset = data.load(chosen.source, chosen.path, chosen.seed, chosen.tolerance, chosen.generated_users)
    if chosen.texts is not None:
        dataset = with_texts(dataset, chosen.texts, chosen.tolerance)
    if chosen.max_users is not None and chosen.max_users < len(dataset.users):
        key = int(content_key("max_users", str(setup.seed))[:32], 16)
        drawn = np.random.Generator(np.random.Philox(key=key)).permutation(len(dataset.users))
        kept = np.zeros(len(dataset.users), dtype=bool)
        kept[drawn[: chosen.max_users]] = True
        dataset = dataset.with_interactions(dataset.interactions.take(kept[dataset.interactions.user]))
    split = prepare(dataset, chosen.min_rating, chosen.core, chosen.split)
    if not len(split.validation) or not len(split.test):
        raise DataError(
            f"{dataset.name}: histories are too short for a validation and a test part; raise data.core, or use "
            "data.split: leave-one-out"
        )
    labels = ProfileLabels(split.dataset, split.train)
    return Prepared(split, labels, _fingerprint(split), dataset, chosen.min_rating)


def check_recommender(setup: Setup) -> None:
    """ModelError if the model, one of its options or its device does not exist; before anything is read."""
    chosen = setup.recommender
    configure(model_class(chosen.model).Config, chosen.params, chosen.model)
    pick_device(chosen.device)


def build_recommender(
    setup: Setup, prepared: Prepared, progress: Callable[[int, int, str], None] = _silent
) -> Built:
    """The scenario's recommender before training, on its device, with the features that it reads."""
    split = prepared.split
    chosen = setup.recommender
    device = pick_device(chosen.device)
    text, visual = _features(setup, prepared, device, progress)
    inputs = Inputs(
        len(split.dataset.users),
        len(split.dataset.items),
        prepared.train,
        prepared.labels.sizes,
        text.modality if text else None,
        visual.modality if visual else None,
        tuple(split.dataset.users["user_id"]),
        tuple(split.dataset.items["item_id"]),
    )
    torch.manual_seed(setup.training_seed)
    model = build(chosen.model, chosen.params, inputs).to(device)
    return Built(model, tuple(each for each in (text, visual) if each is not None))


def train_recommender(
    setup: Setup,
    prepared: Prepared,
    built: Built,
    progress: Callable[[int, int, str], None] = _silent,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> TrainingLog:
    """Train the built model on all users, as `recommender.training.train` does."""
    split = prepared.split
    config = TrainingConfig(**setup.recommender.training.model_dump(), seed=setup.training_seed)
    return train(
        built.model,
        prepared.train,
        prepared.profile,
        split.validation,
        config,
        progress,
        checkpoint,
        on_epoch,
    )


def describe(
    setup: Setup, prepared: Prepared, built: Built, log: TrainingLog, candidates: Callable[[str], Path]
) -> dict[str, Any]:
    """What `training.json` holds: the log, the features, and full-ranking metrics at validation and test.

    Where the scenario asks for sampled negatives, those of a phase are stored in the file `candidates(phase)`.
    """
    split, profile = prepared.split, prepared.profile
    full: dict[str, Any] = {}
    sampled: dict[str, Any] = {}
    for phase in ("validation", "test"):
        served = prepared.served(phase)
        targets = split.targets(phase)
        full[phase] = _means(*evaluate(built.model, served, profile, targets, [10, 50]))
        if setup.data.negatives is not None:
            drawn = sample_candidates(split, phase, setup.data.negatives, setup.seed)
            save_candidates(drawn, split, candidates(phase))
            sampled[phase] = _means(*evaluate(built.model, served, profile, targets, [10], drawn))
    return {
        "data": split.dataset.label,
        "fingerprint": prepared.fingerprint,
        "model": setup.recommender.model,
        "device": str(built.model.device),
        "features": {
            each.modality.name: {
                "source": each.source,
                "dim": each.modality.dim,
                "missing_share": each.modality.missing_share,
                "unreadable": dict(each.unreadable),
            }
            for each in built.features
        },
        "full_ranking": full,
        "sampled_ranking": sampled,
        **log.as_dict(),
    }


def reopen(directory: TrainedDirectory, overrides: Sequence[str] = ()) -> Trained:
    """What a training, or a run of the simulator, left in its folder.

    Raises ScenarioError, DirectoryError or ModelError for a folder that is no such thing, and DataError where the data have
    changed since; `overrides` such as `data.path=...` say where they are now.
    """
    setup = read(Setup, directory.scenario, overrides)
    recorded = read_json(directory.training)["fingerprint"]
    check_recommender(setup)
    prepared = prepare_data(setup)
    if prepared.fingerprint != recorded:
        raise DataError(
            f"{directory.path}: this recommender was trained on other data (hash {recorded[:12]}, these are "
            f"{prepared.fingerprint[:12]}); point --set data.path at the data of the training"
        )
    model = build_recommender(setup, prepared).model
    load(model, directory.weights)
    return Trained(setup, prepared, model)


def _features(
    setup: Setup, prepared: Prepared, device: torch.device, progress: Callable[[int, int, str], None]
) -> tuple[CatalogueFeatures | None, CatalogueFeatures | None]:
    """Text and pictures of the items, as far as the model reads them."""
    model = model_class(setup.recommender.model)
    dataset = prepared.split.dataset
    chosen = setup.features

    def encode_text() -> CatalogueFeatures | None:
        return catalogue_text(
            dataset.items,
            chosen.text,
            device,
            setup.seed,
            lambda done, planned: progress(done, planned, "encoding texts"),
        )

    def encode_visual() -> CatalogueFeatures | None:
        pictured = dataset if setup.data.images is None else with_images(dataset, setup.data.images)
        return catalogue_visual(
            pictured.items,
            chosen.visual,
            device,
            lambda done, planned: progress(done, planned, "encoding pictures"),
        )

    text = visual = None
    if model.reads_text:
        text = prepared.encoded("text", chosen.text, setup.seed, encode_text)
    if model.reads_visual:
        visual = prepared.encoded("visual", chosen.visual, setup.seed, encode_visual)
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
