"""What recommenders are compared on: data split per user in time 8:1:1, features, full ranking over the catalogue."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recommender import data
from recommender.data.content import with_images, with_texts
from recommender.data.histories import Histories
from recommender.data.splitting import Split, prepare
from recommender.evaluation import evaluate
from recommender.features.catalogue import CatalogueFeatures, catalogue_text, catalogue_visual
from recommender.features.profile import ProfileLabels
from recommender.models import Inputs, Recommender, build
from recommender.training import Epoch, TrainingConfig, TrainingLog, pick_device, train

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray
    from torch import Tensor

PROTOCOL = (
    "ratings >= 3 or none, 5-core, per-user temporal 8:1:1, full ranking, seen items masked, history at test = train + "
    "validation; selected by validation NDCG@10"
)


def add_data_options(options: argparse.ArgumentParser) -> None:
    """--data and what belongs to it, for `Task.load`."""
    options.add_argument(
        "--data", default="ml-1m", help="a source, amazon-beauty, or the folder of RecBole's atomic files"
    )
    options.add_argument("--path", type=Path, help="of the data (default: $SCREENTEST_DATA/DATA)")
    options.add_argument("--texts", type=Path, help="as data.texts of a scenario")
    options.add_argument("--images", type=Path, help="as data.images of a scenario")
    options.add_argument("--visual", default="none", help="as features.visual of a scenario")
    options.add_argument("--device", default="auto")


@dataclass(frozen=True)
class Task:
    """Data, ready to train any model on."""

    split: Split
    profile: Tensor
    """(U, F) labels."""
    history: Histories
    """Train."""
    served: Histories
    """Train and validation: what is known at test."""
    inputs: Inputs
    features: tuple[CatalogueFeatures, ...]
    device: torch.device

    @classmethod
    def load(cls, chosen: argparse.Namespace, users: int | None = None) -> Task:
        """The data that the options of `add_data_options` name; `users` keeps so many, drawn with seed 0."""
        dataset = _load(chosen)
        if users is not None and users < len(dataset.users):
            kept = np.zeros(len(dataset.users), dtype=bool)
            kept[np.random.default_rng(0).permutation(len(dataset.users))[:users]] = True
            dataset = dataset.with_interactions(dataset.interactions.take(kept[dataset.interactions.user]))
        split = prepare(dataset)
        count, items = len(split.dataset.users), split.dataset.items
        labels = ProfileLabels(split.dataset, split.train)
        history = Histories.of(split.train, count)
        device = pick_device(chosen.device)
        text, visual = catalogue_text(items, "tfidf"), catalogue_visual(items, chosen.visual, device)
        inputs = Inputs(
            count,
            len(items),
            history,
            labels.sizes,
            text.modality if text else None,
            visual.modality if visual else None,
        )
        return cls(
            split,
            labels.labels(split.train),
            history,
            Histories.of(split.history("test"), count),
            inputs,
            tuple(each for each in (text, visual) if each),
            device,
        )

    def build(self, name: str, params: dict[str, Any], seed: int) -> Recommender:
        """A model before training."""
        torch.manual_seed(seed)
        return build(name, params, self.inputs).to(self.device)

    def train(
        self, model: Recommender, training: dict[str, Any], seed: int, seconds: float | None = None
    ) -> TrainingLog:
        """Train in place. With `seconds` of processor time given, the epoch in which they run out is the last."""
        log = TrainingLog()
        began = time.process_time()

        def watch(epoch: Epoch) -> None:
            log.epochs.append(epoch)
            if epoch.ndcg is not None and epoch.ndcg > log.ndcg:
                log.best, log.ndcg = epoch.number, epoch.ndcg
            if seconds is not None and time.process_time() - began > seconds:
                raise _OutOfTimeError

        config = TrainingConfig(seed=seed, **training)
        try:
            return train(model, self.history, self.profile, self.split.validation, config, on_epoch=watch)
        except _OutOfTimeError:
            return log

    def test(self, model: Recommender, cutoffs: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
        """Metrics of every user with a test item."""
        return evaluate(model, self.served, self.profile, self.split.test, cutoffs)[1]

    def describe(self) -> dict[str, Any]:
        """Data, protocol and features, for a result."""
        return {
            "data": self.split.dataset.label,
            "users": self.inputs.users,
            "items": self.inputs.items,
            "protocol": PROTOCOL,
            "features": {
                each.modality.name: {
                    "source": each.source,
                    "dim": each.modality.dim,
                    "missing_share": round(each.modality.missing_share, 4),
                }
                for each in self.features
            },
        }


class _OutOfTimeError(Exception):
    """Ends a training whose time is over."""


def _load(chosen: argparse.Namespace) -> data.Dataset:
    if chosen.data == "amazon-beauty":
        path = chosen.path or Path(os.environ["SCREENTEST_DATA"]) / "amazon-beauty"
        dataset = data.load("atomic", path)
    elif Path(chosen.data).is_dir():
        dataset = data.load("atomic", Path(chosen.data))
    else:
        dataset = data.load(chosen.data, chosen.path)
    if chosen.texts:
        dataset = with_texts(dataset, chosen.texts)
    return with_images(dataset, chosen.images) if chosen.images else dataset
