"""The paper's Table II, all nine systems, and references: full ranking, per-user temporal 8:1:1.

Every model is selected by validation NDCG@10 and then tested once; at test the history is train + validation and both are
masked. Differences are paired over users, each user's metric averaged over seeds. The result is written after each model, so
a run that is stopped leaves what it measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch

from benchmarks.recording import record
from recommender import data
from recommender.data.content import with_images, with_texts
from recommender.data.histories import Histories
from recommender.data.splitting import prepare
from recommender.evaluation import evaluate
from recommender.features.catalogue import catalogue_text, catalogue_visual
from recommender.features.profile import ProfileLabels
from recommender.intervals import bootstrap_interval
from recommender.models import Inputs, build
from recommender.training import TrainingConfig, pick_device, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CUTOFFS = (10, 50)
_FIXED = ("popularity", "itemknn", "ease", "ease-recent")
"""Models without a seed: nothing in them is drawn."""
_TRAINED = (
    "bprmf svdpp vbpr lightgcn mmgcn mmgcl mcln comirec sasrec umi uim-faithful uim".split()  # in the order of their cost
)
_SMALL = {"learning_rate": 2e-3, "batch_size": 4096}
_GRAPH = {"learning_rate": 5e-3, "batch_size": 8192}
# Options and training of each model, by data set, chosen on validation NDCG@10 of seed 0.
_SETTINGS: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "ml-1m": {
        "itemknn": ({"neighbours": 300, "recent": 3}, {}),
        "ease": ({"regularisation": 1000.0}, {}),
        "ease-recent": ({"regularisation": 1000.0, "recent": 7}, {}),
        "bprmf": ({}, _SMALL),
        "svdpp": ({}, _SMALL),
        "vbpr": ({}, _SMALL),
        "lightgcn": ({}, _GRAPH),
        "mmgcn": ({}, _GRAPH),
        "mmgcl": ({}, {**_GRAPH, "learning_rate": 2e-3}),
        "mcln": ({}, {**_GRAPH, "learning_rate": 2e-3}),
        "comirec": ({}, {"learning_rate": 3e-3, "batch_size": 1024}),
        "sasrec": ({}, {"learning_rate": 1e-3, "batch_size": 128}),
        "umi": ({}, {"learning_rate": 2e-3, "batch_size": 1024}),
        "uim-faithful": ({"graph": False}, {"learning_rate": 2e-3, "batch_size": 1024}),
        "uim": ({}, {"learning_rate": 2e-3, "batch_size": 1024}),
    },
    "amazon-beauty": {
        "itemknn": ({"neighbours": 100, "shrink": 5.0, "recent": 3}, {}),
        "ease": ({"regularisation": 20.0}, {}),
        "ease-recent": ({"regularisation": 100.0, "recent": 3}, {}),
        "bprmf": ({}, _SMALL),
        "svdpp": ({}, _SMALL),
        "vbpr": ({}, _SMALL),
        "lightgcn": ({}, _GRAPH),
        "mmgcn": ({}, _GRAPH),
        "mmgcl": ({}, {**_GRAPH, "learning_rate": 2e-3}),
        "mcln": ({}, {**_GRAPH, "learning_rate": 2e-3}),
        "comirec": ({}, {"learning_rate": 3e-3, "batch_size": 1024}),
        "sasrec": (
            {"history": 20, "dropout": 0.4, "negatives": 2048},
            {"learning_rate": 1e-3, "batch_size": 128},
        ),
        "umi": ({"history": 10}, {"learning_rate": 2e-3, "batch_size": 1024}),
        "uim-faithful": ({"graph": False, "history": 10}, {"learning_rate": 2e-3, "batch_size": 1024}),
        "uim": (
            {"history": 10, "negatives": 2048, "shared": True},
            {"learning_rate": 2e-3, "batch_size": 1024},
        ),
    },
}
_OTHER: tuple[dict[str, Any], dict[str, Any]] = ({}, {"learning_rate": 2e-3, "batch_size": 1024})


def main() -> None:
    """Run the comparison."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--data", default="ml-1m", help="a source, amazon-beauty, or the folder of RecBole's atomic files"
    )
    options.add_argument("--path", type=Path, help="of the data (default: $SCREENTEST_DATA/DATA)")
    options.add_argument("--texts", type=Path, help="as data.texts of a scenario")
    options.add_argument("--images", type=Path, help="as data.images of a scenario")
    options.add_argument("--visual", default="none", help="as features.visual of a scenario")
    options.add_argument("--models", nargs="+", default=["popularity", *_FIXED[1:], *_TRAINED])
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument(
        "--max-epochs",
        nargs="+",
        default=[],
        metavar="MODEL=N",
        help="shorten the training of a model, or of all=N (default 50 epochs, early stopping); marked in the result",
    )
    options.add_argument("--device", default="auto")
    options.add_argument("--out", help="name of the result (default: table2-DATA)")
    options.add_argument("--quick", action="store_true", help="embedded data, one seed, two epochs")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.data, chosen.seeds, chosen.max_epochs = "embedded", [0], ["all=2"]
    _measure(chosen)


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


def _measure(chosen: argparse.Namespace) -> None:
    """Train and test each model, and write down what is known after each."""
    split = prepare(_load(chosen))
    users, items = len(split.dataset.users), split.dataset.items
    labels = ProfileLabels(split.dataset, split.train)
    profile = labels.labels(split.train)
    history = Histories.of(split.train, users)
    served = Histories.of(split.history("test"), users)
    device = pick_device(chosen.device)
    text, visual = catalogue_text(items, "tfidf"), catalogue_visual(items, chosen.visual, device)
    inputs = Inputs(
        users,
        len(items),
        history,
        labels.sizes,
        text.modality if text else None,
        visual.modality if visual else None,
    )
    shortened = {name: int(epochs) for name, _, epochs in (word.partition("=") for word in chosen.max_epochs)}
    per_user: dict[str, NDArray[np.float64]] = {}
    models: dict[str, Any] = {}
    for name in chosen.models:
        params, training = _SETTINGS.get(chosen.data, {}).get(name, _OTHER)
        seeds = chosen.seeds[:1] if name in _FIXED else chosen.seeds
        limit = shortened.get(name, shortened.get("all"))
        runs: list[dict[str, NDArray[np.float64]]] = []
        entry: dict[str, Any] = {
            "params": params,
            "training": training,
            "validation_ndcg@10": [],
            "best_epoch": [],
            "epochs": [],
            "shortened_to": limit,
            "seconds": [],
            "seeds": seeds,
        }
        for seed in seeds:
            torch.manual_seed(seed)
            began = time.perf_counter()
            model = build(name, params, inputs).to(device)
            config = TrainingConfig(max_epochs=limit or 50, seed=seed, **training)
            log = train(model, history, profile, split.validation, config)
            _, metrics = evaluate(model, served, profile, split.test, _CUTOFFS)
            runs.append(metrics)
            entry["validation_ndcg@10"].append(round(log.ndcg, 4))
            entry["best_epoch"].append(log.best)
            entry["epochs"].append(len(log.epochs))
            entry["seconds"].append(round(time.perf_counter() - began, 1))
            entry["cut_short"] = limit is not None and max(entry["epochs"]) >= limit
            test = {metric: round(float(metrics[metric].mean()), 4) for metric in _metric_names()}
            print(
                f"{name} seed {seed}: {entry['validation_ndcg@10'][-1]} {test} {entry['epochs'][-1]} epochs, "
                f"{entry['seconds'][-1]} s",
                file=sys.stderr,
                flush=True,
            )
        for metric in _metric_names():
            entry[metric] = round(float(np.mean([run[metric].mean() for run in runs])), 4)
        models[name] = entry
        per_user[name] = np.mean([run["ndcg@10"] for run in runs], axis=0)
        _write(chosen, split.dataset.label, models, per_user, [each for each in (text, visual) if each])


def _write(
    chosen: argparse.Namespace,
    label: str,
    models: dict[str, Any],
    per_user: dict[str, NDArray[np.float64]],
    features: Sequence[Any],
) -> None:
    fields: dict[str, Any] = {
        "data": label,
        "protocol": "ratings >= 3 or none, 5-core, per-user temporal 8:1:1, full ranking, seen items masked, history at "
        "test = train + validation; selected by validation NDCG@10",
        "features": {
            each.modality.name: {
                "source": each.source,
                "dim": each.modality.dim,
                "missing_share": round(each.modality.missing_share, 4),
            }
            for each in features
        },
        "models": models,
        "uim_minus": {},
    }
    if "uim" in per_user:
        for name, values in per_user.items():
            if name != "uim":
                interval = bootstrap_interval(per_user["uim"] - values, seed=0)
                fields["uim_minus"][name] = {
                    "ndcg@10": {"diff": interval.mean, "low": interval.low, "high": interval.high}
                }
    quick = "-quick" if chosen.quick else ""
    name = chosen.out or f"table2-{Path(chosen.data).name}{quick}"
    record(name, fields, f"python -m benchmarks.table2 {' '.join(sys.argv[1:])}".strip())


def _metric_names() -> Sequence[str]:
    return [f"{kind}@{n}" for n in _CUTOFFS for kind in ("hr", "ndcg")]


if __name__ == "__main__":
    main()
