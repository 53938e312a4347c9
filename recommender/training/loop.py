"""The training loop: epochs over all examples, early stopping on validation NDCG@10."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.data.dataset import DataError
from recommender.evaluation import evaluate
from recommender.models import ModelError, Recommender
from recommender.training.checkpoint import Checkpoint, fingerprint, generator_state, restore_generator
from recommender.training.config import Epoch, TrainingConfig, TrainingLog
from recommender.training.distributed import Ranks
from recommender.training.examples import Examples
from recommender.training.optimisation import Optimisation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from recommender.data.dataset import Interactions
    from recommender.data.histories import Histories


_REPORT_SECONDS = 0.2
"""Between progress reports: reading the loss waits for the device."""


def pick_device(name: str) -> torch.device:
    """The device `name`: "auto" is CUDA where there is one. CUDA asked for and not there is a ModelError, never a CPU run."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "recommender.device is cuda but torch sees no CUDA device; use --set recommender.device=auto"
        )
    return torch.device(name)


def train(
    model: Recommender,
    history: Histories,
    profile: Tensor,
    validation: Interactions,
    config: TrainingConfig,
    progress: Callable[[int, int, str], None] = lambda step, steps, note: None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> TrainingLog:
    """Train `model` in place and leave it with the weights of its best epoch.

    `history` is train, `profile` (U, F) its labels. `progress` is called now and then, and after an epoch's last step, with
    the number of steps done and planned in this epoch and a note (epoch, loss). A model without parameters is only
    evaluated.

    `checkpoint` is written after each epoch, before `on_epoch` is told of it. Where the file is there already, training goes
    on from it and ends, on a CPU, with the same bits as without the interruption; ModelError if it is of another training.
    In a process group each rank takes its share of every batch; only the first writes.
    """
    run = _Run(model, history, profile, validation, config)
    if not model.trainable:
        run.log.ndcg = run.validate()
        return run.log
    run.prepare()
    key = ""
    if checkpoint is not None:
        key = fingerprint(model, history, profile, validation, config)
        if checkpoint.exists():
            run.resume(Checkpoint.read(checkpoint, key, run.ranks.size))
    while not run.finished:
        run.epoch(progress)
        if checkpoint is not None:
            state = run.state(key)
            if run.ranks.first:
                state.write(checkpoint)
        on_epoch(run.log.epochs[-1])
    model.load_state_dict(run.best)
    return run.log


class _Run:
    """One training: what changes from epoch to epoch."""

    def __init__(
        self,
        model: Recommender,
        history: Histories,
        profile: Tensor,
        validation: Interactions,
        config: TrainingConfig,
    ) -> None:
        self.model, self.config = model, config
        self.ranks = Ranks.current()
        self.log = TrainingLog()
        self._history, self._profile = history.to(model.device), profile.to(model.device)
        self._validation = validation

    def prepare(self) -> None:
        """Everything as it is before the first epoch."""
        config, model = self.config, self.model
        torch.manual_seed(self.ranks.seed(config.seed))
        self._shuffle = torch.Generator().manual_seed(config.seed)
        self._examples = Examples(model, self._history, self._profile)
        if not len(self._examples):
            raise ModelError(
                "there is nothing to train on: no user has a train interaction with one before it"
            )
        smallest = min(config.batch_size, len(self._examples))
        if smallest < self.ranks.size:
            raise ModelError(
                f"a batch of {smallest} examples cannot be divided among {self.ranks.size} ranks: start fewer, or raise "
                "recommender.training.batch_size"
            )
        self.ranks.align(model)
        self._steps = len(self._batches(torch.arange(len(self._examples))))
        self._optimisation = Optimisation(model, config, self._steps * config.max_epochs, self.ranks)
        self.log.ndcg = -1.0
        self.log.execution = self._optimisation.execution
        self.best = _copy(model)

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, or patience is."""
        last = self.log.epochs[-1] if self.log.epochs else None
        if last is None:
            return False
        stale = last.ndcg is not None and last.number - self.log.best >= self.config.patience
        return stale or last.number >= self.config.max_epochs

    def epoch(self, progress: Callable[[int, int, str], None]) -> None:
        """One pass over the examples, and its validation."""
        began = told = time.perf_counter()
        number = len(self.log.epochs) + 1
        self.model.train()
        total = torch.zeros((), device=self.model.device)
        order = torch.randperm(len(self._examples), generator=self._shuffle).to(self.model.device)
        for step, rows in enumerate(self._batches(order), start=1):
            # In order, users and their rows lie side by side: a step of BPRMF takes a seventh less.
            own = self.ranks.share(rows).sort().values
            taken = (number - 1) * self._steps + step - 1
            total += self._optimisation.step(self._examples.batch(own), taken, len(own) / len(rows))
            if step == self._steps or time.perf_counter() - told > _REPORT_SECONDS:
                told = time.perf_counter()
                progress(step, self._steps, self._note(number, float(total) * self.ranks.size / step))
        mean = float(self.ranks.sum(total)) / self._steps
        if not np.isfinite(mean):
            raise ModelError(f"training diverged in epoch {number}: loss {mean}; lower the learning rate")
        ndcg = None
        if number % self.config.evaluate_every == 0 or number == self.config.max_epochs:
            ndcg = self.validate()
        self.log.execution = self._optimisation.execution
        self.log.epochs.append(Epoch(number, mean, ndcg, time.perf_counter() - began))
        if ndcg is not None and ndcg > self.log.ndcg:
            self.log.best, self.log.ndcg = number, ndcg
            self.best = _copy(self.model)

    def validate(self) -> float:
        """NDCG@10 of validation, each rank evaluating its users."""
        if not len(self._validation):
            raise DataError("no user has a held-out interaction, so there is nothing to evaluate on")
        own = self._validation.take(self._validation.user % self.ranks.size == self.ranks.rank)
        ndcg = np.zeros(0)
        if len(own):
            ndcg = evaluate(self.model, self._history, self._profile, own, [10])[1]["ndcg@10"]
        if self.ranks.size == 1:
            return float(ndcg.mean())
        summed = torch.tensor([ndcg.sum(), len(ndcg)], dtype=torch.float64, device=self.model.device)
        gain, users = self.ranks.sum(summed).tolist()
        return float(gain / users)

    def state(self, key: str) -> Checkpoint:
        """All of it, for a file; every rank takes part."""
        return Checkpoint(
            key,
            self.model.state_dict(),
            self.best,
            self._optimisation.state(),
            self.log.as_dict(),
            self._shuffle.get_state(),
            self.ranks.collect(generator_state(self.model.device)),
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on after the epoch of `checkpoint`."""
        self.model.load_state_dict(checkpoint.model)
        self.best = checkpoint.best
        self._optimisation.restore(checkpoint.optimiser)
        self.log = checkpoint.restored_log()
        self._shuffle.set_state(checkpoint.shuffle)
        restore_generator(checkpoint.generators[self.ranks.rank], self.model.device)

    def _batches(self, order: Tensor) -> list[Tensor]:
        return self.ranks.batches(order, self.config.batch_size)

    def _note(self, number: int, loss: float) -> str:
        compiled = "" if self._optimisation.execution == "eager" else f", {self._optimisation.execution}"
        best = f", best NDCG@10 {self.log.ndcg:.4f}" if self.log.best else ""
        return f"epoch {number}, loss {loss:.3f}{best}{compiled}"


def _copy(model: Recommender) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
