"""Seconds per epoch, and what share of the device's limits they reach: how far the training loop is from the hardware.

Both limits are measured on the device in the same run: the fastest large matrix product, and the fastest copy of a large
tensor. FLOPs of an epoch are those of all its matrix products, counted by torch. Bytes are the least that its steps must move:
AdamW reads weight, gradient and two moments and writes three of them back, and the gradient is written before that.
Gathers, activations and what the counts leave out only make the true shares larger.
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
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.ranking_task import Task, add_data_options
from benchmarks.recording import read_result, record
from recommender.training import TrainingConfig
from recommender.training.distributed import Ranks
from recommender.training.examples import Examples
from recommender.training.optimisation import Optimisation

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.tuning import Setting

_WARM_UP = 3
_ADAMW_PASSES = 8
"""Of four bytes over every parameter: the gradient written, four read, three written."""


def main() -> None:
    """Measure."""
    options = argparse.ArgumentParser(description=__doc__)
    add_data_options(options)
    options.add_argument("--models", nargs="+", default=["bprmf", "uim"])
    options.add_argument("--steps", type=int, default=50, help="timed of each model, after a warm-up")
    options.add_argument("--batch", type=int, help="examples a step (default: as tuned)")
    options.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    options.add_argument("--compile", action="store_true")
    options.add_argument("--out", help="name of the result (default: epoch-speed-DATA-DEVICE)")
    options.add_argument("--quick", action="store_true", help="embedded data, five steps")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.data, chosen.steps = "embedded", 5
    task = Task.load(chosen)
    flops, bandwidth = _limits(task.device, chosen.precision)
    tuned = (read_result(f"tuning-{Path(chosen.data).name}") or {"models": {}})["models"]
    models: dict[str, Any] = {}
    for name in chosen.models:
        found = tuned.get(name, {"params": {}, "training": {}})
        training = {**found["training"], "precision": chosen.precision, "compile": chosen.compile}
        if chosen.batch:
            training["batch_size"] = chosen.batch
        models[name] = _measure(task, name, (found["params"], training), chosen.steps, flops, bandwidth)
        print(name, models[name], file=sys.stderr, flush=True)
    quick = "-quick" if chosen.quick else ""
    record(
        chosen.out or f"epoch-speed-{Path(chosen.data).name}-{task.device.type}{quick}",
        {
            "data": task.split.dataset.label,
            "device": str(task.device),
            "threads": torch.get_num_threads(),
            "limit_flops_per_s": flops,
            "limit_bytes_per_s": bandwidth,
            "models": models,
        },
        f"python -m benchmarks.epoch_speed {' '.join(sys.argv[1:])}".strip(),
    )


def _measure(
    task: Task, name: str, setting: Setting, steps: int, flops: float, bandwidth: float
) -> dict[str, Any]:
    params, training = setting
    model = task.build(name, params, 0)
    model.train()
    config = TrainingConfig(**training)
    examples = Examples(model, task.history.to(task.device), task.profile.to(task.device))
    planned = -(-len(examples) // config.batch_size)
    optimisation = Optimisation(model, config, planned, Ranks.current())
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0)).to(task.device)
    done = 0

    def step() -> None:
        nonlocal done
        begin = done * config.batch_size % max(1, len(order) - config.batch_size)
        optimisation.step(examples.batch(order[begin : begin + config.batch_size].sort().values), done, 1)
        done += 1

    for _ in range(_WARM_UP):
        step()
    with FlopCounterMode(display=False) as counter:
        step()
    seconds = _median_seconds(step, steps, task.device)
    work = float(counter.get_total_flops())
    moved = _ADAMW_PASSES * 4.0 * sum(each.numel() for each in model.parameters() if each.requires_grad)
    return {
        "params": params,
        "training": training,
        "execution": optimisation.execution,
        "examples": len(examples),
        "steps": planned,
        "step_ms": round(seconds * 1e3, 3),
        "epoch_s": round(seconds * planned, 3),
        "flops_an_epoch": work * planned,
        "flop_share": round(work / seconds / flops, 4),
        "bytes_an_epoch_at_least": moved * planned,
        "bandwidth_share_at_least": round(moved / seconds / bandwidth, 4),
    }


def _limits(device: torch.device, precision: str) -> tuple[float, float]:
    """FLOP/s of the fastest large product and bytes/s of the fastest large copy."""
    width = 8192 if device.type == "cuda" else 2048
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left = torch.randn(width, width, device=device, dtype=dtype)
    right = torch.randn(width, width, device=device, dtype=dtype)
    source = torch.randn(2**28 if device.type == "cuda" else 2**26, device=device)
    target = torch.empty_like(source)
    product = _median_seconds(lambda: torch.mm(left, right), 10, device)
    copied = _median_seconds(lambda: target.copy_(source), 10, device)
    return 2.0 * width**3 / product, 2.0 * 4 * len(source) / copied


def _median_seconds(work: Callable[[], object], times: int, device: torch.device) -> float:
    taken = []
    for _ in range(times):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
