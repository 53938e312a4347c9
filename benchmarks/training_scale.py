"""Training against size: seconds and peak memory of one epoch at 10^5, 10^6 and 10^7 synthetic interactions.

Each measurement is a process of its own. Users have 100 interactions on average, items 200; activity and popularity are
heavy-tailed; the batch is the same at all sizes, so the work of an epoch grows with the interactions. UiM draws one set of
negatives for a batch: over a catalogue that grows with the data the whole softmax would be quadratic.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from typing import Any

# Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch

from benchmarks.recording import record
from recommender.data.dataset import Interactions
from recommender.data.histories import Histories
from recommender.models import Inputs, build
from recommender.training import TrainingConfig, pick_device, train

_MODELS: dict[str, tuple[dict[str, Any], int]] = {
    "bprmf": ({}, 32_768),
    "uim": ({"negatives": 1024, "shared": True, "profile": False}, 4096),
}
"""Options and batch. A step of AdamW passes over whole tables, so batches have to be of the order of the tables."""
_PER_USER, _PER_ITEM = 100, 200
_VALIDATED = 500
"""Users that are validated: ranking a whole catalogue for all is another measurement."""


def main() -> None:
    """Measure all sizes; or, as a process that it starts itself, one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--interactions", nargs="+", type=int, default=[10**5, 10**6, 10**7])
    options.add_argument("--models", nargs="+", choices=sorted(_MODELS), default=sorted(_MODELS))
    options.add_argument("--device", default="auto")
    options.add_argument("--out", help="name of the result (default: training-scale)")
    options.add_argument("--quick", action="store_true", help="10^4 and 10^5 interactions")
    options.add_argument("--one", nargs=2, metavar=("MODEL", "INTERACTIONS"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(_one(chosen.one[0], int(chosen.one[1]), chosen.device)))
        return
    sizes = []
    for model in chosen.models:
        for interactions in [10**4, 10**5] if chosen.quick else chosen.interactions:
            command = [sys.executable, "-m", "benchmarks.training_scale", "--device", chosen.device]
            command += ["--one", model, str(interactions)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            sizes.append(json.loads(done.stdout))
            print(sizes[-1], file=sys.stderr, flush=True)
    exponents = {
        model: _exponent([size for size in sizes if size["model"] == model]) for model in chosen.models
    }
    fields = {
        "sizes": sizes,
        "exponent": max((each for each in exponents.values() if each is not None), default=None),
        "exponents": exponents,
        "device": str(pick_device(chosen.device)),
        "threads": torch.get_num_threads(),
        "seed": 0,
    }
    record(
        chosen.out or f"training-scale{'-quick' if chosen.quick else ''}",
        fields,
        f"python -m benchmarks.training_scale {' '.join(sys.argv[1:])}".strip(),
    )


def _one(name: str, interactions: int, device: str) -> dict[str, Any]:
    """One epoch of one model; what torch does once at the start is done before, on a hundredth of the data."""
    params, batch_size = _MODELS[name]
    _epoch(name, params, batch_size, max(interactions // 100, 2000), device)
    seconds, examples = _epoch(name, params, batch_size, interactions, device)
    on = pick_device(device)
    peak = (
        torch.cuda.max_memory_allocated() / 2**20
        if on.type == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    )
    return {
        "model": name,
        "interactions": examples,
        "epoch_s": round(seconds, 3),
        "peak_mib": round(peak, 1),
        "params": params,
        "batch_size": batch_size,
    }


def _epoch(
    name: str, params: dict[str, Any], batch_size: int, interactions: int, device: str
) -> tuple[float, int]:
    users, items, train_part = _generate(interactions)
    history = Histories.of(train_part, users)
    torch.manual_seed(0)
    model = build(name, params, Inputs(users, items, history)).to(pick_device(device))
    # Somebody's first items again: what is validated has to be something, and here nothing is learnt from it.
    held_out = train_part.take(np.flatnonzero(train_part.user < min(_VALIDATED, users)))
    profile = torch.zeros(users, 0, dtype=torch.int64)
    config = TrainingConfig(max_epochs=1, batch_size=batch_size)
    began = time.perf_counter()
    train(model, history, profile, held_out, config)
    return time.perf_counter() - began, len(train_part)


def _generate(interactions: int) -> tuple[int, int, Interactions]:
    """Distinct pairs of user and item in the order of user, then of a random time."""
    generator = np.random.default_rng(0)
    users, items = max(interactions // _PER_USER, 20), max(interactions // _PER_ITEM, 500)
    popularity = np.cumsum(np.arange(1, items + 1) ** -0.8)
    activity = generator.lognormal(0, 1, users)
    wanted = (activity / activity.sum() * interactions).astype(np.int64) + 2
    user = np.repeat(np.arange(users), wanted)
    item = np.searchsorted(popularity / popularity[-1], generator.random(len(user))).clip(max=items - 1)
    # Sorted keys of one integer each: at 10^8 pairs np.unique and lexsort take longer than the epoch that is measured.
    pairs = np.sort(user * np.int64(items) + item)
    pairs = pairs[np.diff(pairs, prepend=-1) != 0]
    user, item = pairs // items, pairs % items
    order = np.argsort((user << 32) | generator.integers(1 << 32, size=len(user)))
    n = len(user)
    return (
        users,
        items,
        Interactions(
            user[order].astype(np.int32),
            item[order].astype(np.int32),
            np.full(n, np.nan, dtype=np.float32),
            np.arange(n, dtype=np.int64),
        ),
    )


def _exponent(sizes: list[dict[str, Any]]) -> float | None:
    """Slope of log seconds over log interactions; None for a single size."""
    if len(sizes) < 2:
        return None
    rows = [math.log(size["interactions"]) for size in sizes]
    return round(float(np.polyfit(rows, [math.log(size["epoch_s"]) for size in sizes], 1)[0]), 3)


if __name__ == "__main__":
    main()
