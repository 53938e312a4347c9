"""The paper's Table II for the recommenders that are built: full ranking, per-user temporal 8:1:1.

Every model is selected by validation NDCG@10 and then tested once; at test the history is train + validation and both are
masked. Differences are paired over users, each user's metric averaged over seeds.
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
from recommender.data.histories import Histories
from recommender.data.splitting import prepare
from recommender.evaluation import evaluate
from recommender.features.profile import ProfileLabels
from recommender.features.text import text_features
from recommender.models import Inputs, build
from recommender.training import TrainingConfig, pick_device, train
from simulator.measures.intervals import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CUTOFFS = (10, 50)
# Chosen on validation NDCG@10 of seed 0, by data set.
_SETTINGS: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "ml-1m": {
        "popularity": ({}, {}),
        "bprmf": ({}, {"learning_rate": 2e-3, "batch_size": 4096}),
        "uim": ({}, {"learning_rate": 2e-3, "batch_size": 1024}),
    },
    "embedded": {
        "popularity": ({}, {}),
        "bprmf": ({}, {"learning_rate": 2e-3, "batch_size": 256}),
        "uim": ({}, {"learning_rate": 2e-3, "batch_size": 256}),
    },
}


def main() -> None:
    """Run the comparison."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", choices=sorted(_SETTINGS), default="ml-1m")
    options.add_argument("--path", type=Path, help="folder of the data (default: $SCREENTEST_DATA/DATA)")
    options.add_argument("--models", nargs="+", default=["popularity", "bprmf", "uim"])
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument(
        "--max-epochs",
        nargs="+",
        default=[],
        metavar="MODEL=N",
        help="shorten the training of a model (default 50 epochs, early stopping); marked in the result",
    )
    options.add_argument("--device", default="auto")
    options.add_argument("--quick", action="store_true", help="embedded data, one seed, two epochs")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.data, chosen.seeds, chosen.max_epochs = "embedded", [0], ["bprmf=2", "uim=2"]
    per_user, models = _measure(chosen)
    fields: dict[str, Any] = {
        "data": chosen.data,
        "protocol": "ratings >= 3, 5-core, per-user temporal 8:1:1, full ranking, seen items masked, history at "
        "test = train + validation",
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
    record(
        f"table2-{chosen.data}{quick}",
        fields,
        f"python -m benchmarks.table2 {' '.join(sys.argv[1:])}".strip(),
    )


def _measure(chosen: argparse.Namespace) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Test NDCG@10 of each user by model, averaged over seeds, and the table's entry of each model."""
    dataset = data.load(chosen.data, chosen.path)
    split = prepare(dataset)
    users, items = len(split.dataset.users), len(split.dataset.items)
    labels = ProfileLabels(split.dataset, split.train)
    profile = labels.labels(split.train)
    history = Histories.of(split.train, users)
    served = Histories.of(split.history("test"), users)
    inputs = Inputs(users, items, history, labels.sizes, text_features(split.dataset.items))
    device = pick_device(chosen.device)
    shortened = {name: int(epochs) for name, _, epochs in (word.partition("=") for word in chosen.max_epochs)}
    per_user: dict[str, NDArray[np.float64]] = {}
    models: dict[str, Any] = {}
    for name in chosen.models:
        params, training = _SETTINGS[chosen.data][name]
        runs: list[dict[str, NDArray[np.float64]]] = []
        entry: dict[str, Any] = {
            "validation_ndcg@10": [],
            "epochs": [],
            "shortened_to": shortened.get(name),
            "seconds": [],
            "seeds": chosen.seeds,
        }
        for seed in chosen.seeds:
            torch.manual_seed(seed)
            model = build(name, params, inputs).to(device)
            began = time.perf_counter()
            config = TrainingConfig(max_epochs=shortened.get(name, 50), seed=seed, **training)
            log = train(model, history, profile, split.validation, config)
            _, metrics = evaluate(model, served, profile, split.test, _CUTOFFS)
            runs.append(metrics)
            entry["validation_ndcg@10"].append(round(log.ndcg, 4))
            entry["epochs"].append(len(log.epochs))
            entry["seconds"].append(round(time.perf_counter() - began, 1))
            print(f"{name} seed {seed}: {entry}", file=sys.stderr, flush=True)
        for metric in _metric_names():
            entry[metric] = round(float(np.mean([run[metric].mean() for run in runs])), 4)
        models[name] = entry
        per_user[name] = np.mean([run["ndcg@10"] for run in runs], axis=0)
    return per_user, models


def _metric_names() -> Sequence[str]:
    return [f"{kind}@{n}" for n in _CUTOFFS for kind in ("hr", "ndcg")]


if __name__ == "__main__":
    main()
