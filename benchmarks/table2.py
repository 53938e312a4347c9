"""The paper's Table II, all nine systems, and references: full ranking, per-user temporal 8:1:1.

Every model has the setting that `benchmarks.tuning` found best for it on these data, is selected by validation NDCG@10 and
then tested once; at test the history is train + validation and both are masked. Differences are paired over users, each
user's metric averaged over seeds. What is
finished can be kept in a folder, not to be trained again, and the result is written after
each model, so a run that is stopped leaves what it measured and can be gone on with.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from benchmarks.ranking_task import Task, add_data_options
from benchmarks.recording import read_result, record
from benchmarks.tuning import GRIDS, Setting
from recommender.caching import content_key
from recommender.intervals import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_CUTOFFS = (10, 50)
_METRICS = [f"{kind}@{n}" for n in _CUTOFFS for kind in ("hr", "ndcg")]
_FIXED = ("popularity", "itemknn", "ease", "ease-recent")
"""Models without a seed: nothing in them is drawn."""
_MODELS = (
    # in the order of their cost
    *_FIXED,
    *"bprmf svdpp vbpr lightgcn uim umi comirec sasrec mcln mmgcn mmgcl uim-faithful".split(),
)
_EPOCHS = 50


@dataclass(frozen=True)
class _Run:
    """One model trained with one seed, and tested."""

    validation: float
    best: int
    epochs: int
    limit: int
    seconds: float
    metrics: Mapping[str, NDArray[np.float64]]
    """Of every user with a test item."""

    @classmethod
    def of(cls, task: Task, name: str, setting: Setting, limit: int, seed: int) -> _Run:
        params, training = setting
        began = time.perf_counter()
        model = task.build(name, params, seed)
        # A learning rate that falls gives its best at the end of its plan: to stop at the first lull would cut that off.
        plan = {} if limit == _EPOCHS else {"schedule": "cosine", "patience": limit}
        log = task.train(model, {**training, **plan, "max_epochs": limit}, seed)
        metrics = task.test(model, _CUTOFFS)
        seconds = time.perf_counter() - began
        kept = {each: metrics[each] for each in _METRICS}
        return cls(log.ndcg, log.best, len(log.epochs), limit, seconds, kept)

    def save(self, file: Path) -> None:
        told = [self.validation, self.best, self.epochs, self.limit, self.seconds]
        columns: dict[str, Any] = {"told": np.array(told), **self.metrics}
        with file.with_suffix(".part").open("wb") as out:
            np.savez(out, **columns)
        file.with_suffix(".part").replace(file)

    @classmethod
    def read(cls, file: Path) -> _Run:
        with np.load(file) as kept:
            validation, best, epochs, limit, seconds = kept["told"].tolist()
            metrics = {each: kept[each] for each in _METRICS}
        return cls(validation, int(best), int(epochs), int(limit), seconds, metrics)


def main() -> None:
    """Run the comparison."""
    options = argparse.ArgumentParser(description=__doc__)
    add_data_options(options)
    options.add_argument("--models", nargs="+", default=list(_MODELS))
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument(
        "--fewer", nargs="+", default=[], metavar="MODEL=N", help="only the first N seeds for a model"
    )
    options.add_argument(
        "--max-epochs",
        nargs="+",
        default=[],
        metavar="MODEL=N",
        help=f"train a model, or all=N, for so many epochs with a learning rate that falls to zero by then, and take the best of "
        f"them (default: at most {_EPOCHS} epochs, a constant rate, early stopping); marked in the result",
    )
    options.add_argument(
        "--also",
        nargs="+",
        default=[],
        metavar="MODEL.OPTION=VALUE",
        help="options on top of the tuned ones, as JSON, such as uim.dropout=0.3 or uim.training.weight_decay=0.1; they show in "
        "the result",
    )
    options.add_argument("--tuned", help="result of benchmarks.tuning to read (default: tuning-DATA)")
    options.add_argument("--folder", type=Path, help="keep what is finished here, and take from here what is")
    options.add_argument("--out", help="name of the result (default: table2-DATA)")
    options.add_argument("--quick", action="store_true", help="embedded data, one seed, two epochs")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.data, chosen.seeds, chosen.max_epochs = "embedded", [0], ["all=2"]
    _measure(chosen)


def _measure(chosen: argparse.Namespace) -> None:
    """Train and test each model, and write down what is known after each."""
    task = Task.load(chosen)
    tuned = read_result(chosen.tuned or f"tuning-{Path(chosen.data).name}")
    limits, fewer = _numbers(chosen.max_epochs), _numbers(chosen.fewer)
    models: dict[str, Any] = {}
    per_user: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name in chosen.models:
        setting = _setting(name, tuned, chosen.also)
        seeds = chosen.seeds[:1] if name in _FIXED else chosen.seeds[: fewer.get(name)]
        limit = limits.get(name, limits.get("all", _EPOCHS))
        runs = [_run(chosen.folder, task, name, setting, limit, seed) for seed in seeds]
        models[name] = _entry(setting, seeds, runs)
        per_user[name] = {each: np.mean([run.metrics[each] for run in runs], axis=0) for each in _METRICS}
        _write(chosen, task, models, per_user)


def _setting(name: str, tuned: Mapping[str, Any] | None, also: Sequence[str]) -> Setting:
    """What tuning chose, or the middle of the grid for a model or data that were not tuned; and what `also` says."""
    params, training = GRIDS.get(name, [({}, {})] * 2)[1]
    if tuned is not None and name in tuned["models"]:
        found = tuned["models"][name]
        params, training = found["params"], found["training"]
    params, training = dict(params), dict(training)
    for word in also:
        key, _, value = word.partition("=")
        model, _, option = key.partition(".")
        if model == name:
            options = training if option.startswith("training.") else params
            options[option.removeprefix("training.")] = json.loads(value)
    return params, training


def _run(folder: Path | None, task: Task, name: str, setting: Setting, limit: int, seed: int) -> _Run:
    file = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        key = content_key(json.dumps([task.describe(), name, setting, limit, seed], sort_keys=True))
        file = folder / f"{name}-{seed}-{key[:16]}.npz"
    if file is not None and file.exists():
        run = _Run.read(file)
    else:
        run = _Run.of(task, name, setting, limit, seed)
        if file is not None:
            run.save(file)
    test = {each: round(float(values.mean()), 4) for each, values in run.metrics.items()}
    told = f"{run.validation:.4f} {test} best epoch {run.best} of {run.epochs}, {run.seconds:.0f} s"
    print(f"{name} seed {seed}: {told}", file=sys.stderr, flush=True)
    return run


def _entry(setting: Setting, seeds: Sequence[int], runs: Sequence[_Run]) -> dict[str, Any]:
    means = {each: [float(run.metrics[each].mean()) for run in runs] for each in _METRICS}
    return {
        "params": setting[0],
        "training": setting[1],
        "seeds": list(seeds),
        "validation_ndcg@10": [round(run.validation, 4) for run in runs],
        **{each: round(float(np.mean(values)), 4) for each, values in means.items()},
        "by_seed": {each: [round(value, 4) for value in values] for each, values in means.items()},
        "best_epoch": [run.best for run in runs],
        "epochs": [run.epochs for run in runs],
        "shortened_to": runs[0].limit if runs[0].limit != _EPOCHS else None,
        "best_was_last": any(run.epochs and run.best == run.epochs == run.limit for run in runs),
        "seconds": [round(run.seconds, 1) for run in runs],
    }


def _write(
    chosen: argparse.Namespace,
    task: Task,
    models: dict[str, Any],
    per_user: dict[str, dict[str, NDArray[np.float64]]],
) -> None:
    fields: dict[str, Any] = {**task.describe(), "models": models, "uim_minus": {}}
    for name, values in per_user.items():
        if name == "uim" or "uim" not in per_user:
            continue
        fields["uim_minus"][name] = {}
        for metric in ("ndcg@10", "hr@10"):
            interval = bootstrap_interval(per_user["uim"][metric] - values[metric], seed=0)
            fields["uim_minus"][name][metric] = {
                "diff": interval.mean,
                "low": interval.low,
                "high": interval.high,
            }
    quick = "-quick" if chosen.quick else ""
    name = chosen.out or f"table2-{Path(chosen.data).name}{quick}"
    record(name, fields, f"python -m benchmarks.table2 {' '.join(sys.argv[1:])}".strip())


def _numbers(words: Sequence[str]) -> dict[str, int]:
    """{"uim": 5} of uim=5."""
    return {name: int(number) for name, _, number in (word.partition("=") for word in words)}


if __name__ == "__main__":
    main()
