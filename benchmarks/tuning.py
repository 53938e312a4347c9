"""The same tuning budget for every system of Table II: four trials each, and for trained ones the same processor time a trial.

A trial trains with one setting and seed 0 on a sample of the users until early stopping or until its seconds of processor
time are over, and is judged by validation NDCG@10 alone; the test part is never looked at. `benchmarks.table2` takes each
model's best trial from the result.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

# Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from benchmarks.ranking_task import Task, add_data_options
from benchmarks.recording import record

Setting = tuple[dict[str, Any], dict[str, Any]]
"""Options of the model, and of its training."""


def _rates(params: dict[str, Any], batch: int, rates: tuple[float, ...], decay: float) -> list[Setting]:
    """Three learning rates, and the middle one again with weight decay."""
    plain = [(params, {"learning_rate": rate, "batch_size": batch}) for rate in rates]
    return [*plain, (params, {"learning_rate": rates[1], "batch_size": batch, "weight_decay": decay})]


_PAIRWISE = (1e-3, 2e-3, 5e-3)
_GRAPH = (2e-3, 5e-3, 1e-2)
_SEQUENCE = (1e-3, 2e-3, 4e-3)
_UIM = {"negatives": 1024, "shared": True}
_SLOW = {"learning_rate": 2e-3, "batch_size": 1024}
_QUICK = {"learning_rate": 4e-3, "batch_size": 1024}
GRIDS: dict[str, list[Setting]] = {
    "itemknn": [({"neighbours": n, "recent": recent}, {}) for n in (100, 300) for recent in (3, 7)],
    "ease": [({"regularisation": weight}, {}) for weight in (20.0, 100.0, 500.0, 1000.0)],
    "ease-recent": [
        ({"regularisation": weight, "recent": recent}, {}) for weight in (100.0, 1000.0) for recent in (3, 7)
    ],
    "bprmf": _rates({}, 4096, _PAIRWISE, 1e-2),
    "svdpp": _rates({}, 4096, _PAIRWISE, 1e-2),
    "vbpr": _rates({}, 4096, _PAIRWISE, 1e-2),
    "lightgcn": _rates({}, 8192, _GRAPH, 1e-2),
    "mmgcn": _rates({}, 8192, _GRAPH, 1e-2),
    "mmgcl": _rates({}, 8192, _GRAPH, 1e-2),
    "mcln": _rates({}, 8192, _GRAPH, 1e-2),
    "comirec": _rates({}, 1024, _SEQUENCE, 1e-2),
    "sasrec": [
        (
            {"history": length, "dropout": dropout, "negatives": 2048},
            {"learning_rate": rate, "batch_size": 128},
        )
        for length, dropout, rate in ((50, 0.2, 1e-3), (50, 0.2, 2e-3), (20, 0.4, 1e-3), (20, 0.4, 2e-3))
    ],
    "umi": [
        ({"history": length, "negatives": 20}, training)
        for length in (10, 30)
        for training in (_SLOW, _QUICK)
    ],
    "uim-faithful": [
        ({"history": length}, {"learning_rate": rate, "batch_size": 2048})
        for length in (10, 30)
        for rate in (2e-3, 4e-3)
    ],
    "uim": [
        ({**_UIM, "history": 10}, _SLOW),
        ({**_UIM, "history": 10}, _QUICK),
        ({**_UIM, "history": 30}, _QUICK),
        ({**_UIM, "history": 30, "visual": False}, _QUICK),
    ],
}
"""The trials of each model, four each. What they leave out is the model's default."""


def main() -> None:
    """Run the trials."""
    options = argparse.ArgumentParser(description=__doc__)
    add_data_options(options)
    options.add_argument("--models", nargs="+", default=list(GRIDS), choices=list(GRIDS))
    options.add_argument("--users", type=int, help="so many, drawn with seed 0 (default: all)")
    options.add_argument("--seconds", type=float, default=40.0, help="of processor time, each trial")
    options.add_argument("--out", help="name of the result (default: tuning-DATA)")
    options.add_argument("--quick", action="store_true", help="embedded data, one second a trial")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.data, chosen.seconds = "embedded", 1.0
    task = Task.load(chosen, chosen.users)
    models: dict[str, Any] = {}
    for name in chosen.models:
        trials = [_trial(task, name, setting, chosen.seconds) for setting in GRIDS[name]]
        best = max(trials, key=lambda trial: trial["validation_ndcg@10"])
        models[name] = {"params": best["params"], "training": best["training"], "trials": trials}
    quick = "-quick" if chosen.quick else ""
    record(
        chosen.out or f"tuning-{Path(chosen.data).name}{quick}",
        {**task.describe(), "seconds_a_trial": chosen.seconds, "seed": 0, "models": models},
        f"python -m benchmarks.tuning {' '.join(sys.argv[1:])}".strip(),
    )


def _trial(task: Task, name: str, setting: Setting, seconds: float) -> dict[str, Any]:
    params, training = setting
    began = time.process_time()
    log = task.train(task.build(name, params, 0), training, 0, seconds)
    trial = {
        "params": params,
        "training": training,
        "validation_ndcg@10": round(log.ndcg, 4),
        "epochs": len(log.epochs),
        "seconds": round(time.process_time() - began, 1),
    }
    print(name, *trial.values(), file=sys.stderr, flush=True)
    return trial


if __name__ == "__main__":
    main()
