"""Trainer: every (user, position) of train as an example, early stopping on validation NDCG@10."""

from __future__ import annotations

import copy
import pickle
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from recommender.evaluation import evaluate
from recommender.models import Batch, ModelError, Recommender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from recommender.data.dataset import Interactions
    from recommender.data.histories import Histories


_REPORT_EVERY = 20
"""Steps between progress reports: reading the loss waits for the device."""


@dataclass(frozen=True)
class TrainingConfig:
    """Options of the training loop."""

    max_epochs: int = 50
    patience: int = 3
    """Epochs without a better validation NDCG@10 before training stops."""
    batch_size: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW): the lambda of Eq. 13."""
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """One pass over the examples."""

    number: int
    loss: float
    ndcg: float
    """Validation NDCG@10 after the epoch."""
    seconds: float


@dataclass
class TrainingLog:
    """What happened in training; `best` is the number of the epoch whose weights were kept."""

    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0
    ndcg: float = 0.0
    """Validation NDCG@10 of the weights that were kept."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


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
) -> TrainingLog:
    """Train `model` in place and leave it with the weights of its best epoch.

    `history` is train, `profile` (U, F) its labels. `progress` is called after each step with the number of
    steps done and planned in this epoch and a note (epoch, loss). A model without parameters is only evaluated.
    """
    log = TrainingLog()
    if not model.trainable:
        log.ndcg = _ndcg(model, history, profile, validation)
        return log
    device = model.device
    torch.manual_seed(config.seed)
    shuffle = torch.Generator().manual_seed(config.seed)
    examples = _Examples(history.to(device), profile.to(device), model.training_length)
    if not len(examples):
        raise ModelError("there is nothing to train on: no user has a train interaction with one before it")
    optimiser = torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=device.type == "cuda",
    )
    best = copy.deepcopy(model.state_dict())
    log.ndcg = -1.0
    for number in range(1, config.max_epochs + 1):
        began = time.perf_counter()
        model.train()
        total = torch.zeros((), device=device)
        batches = torch.randperm(len(examples), generator=shuffle).to(device).split(config.batch_size)
        for step, rows in enumerate(batches, start=1):
            loss = model.loss(examples.batch(rows))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.detach()
            if step % _REPORT_EVERY == 0 or step == len(batches):
                best_so_far = f", best NDCG@10 {log.ndcg:.4f}" if log.epochs else ""
                progress(step, len(batches), f"epoch {number}, loss {float(total) / step:.3f}{best_so_far}")
        mean = float(total) / len(batches)
        if not torch.isfinite(total):
            raise ModelError(f"training diverged in epoch {number}: loss {mean}; lower the learning rate")
        ndcg = _ndcg(model, history, profile, validation)
        log.epochs.append(Epoch(number, mean, ndcg, time.perf_counter() - began))
        if ndcg > log.ndcg:
            log.best, log.ndcg = number, ndcg
            best = copy.deepcopy(model.state_dict())
        elif number - log.best >= config.patience:
            break
    model.load_state_dict(best)
    return log


def save(model: Recommender, path: Path) -> None:
    """Write the weights; `load` reads them back without running any code from the file."""
    torch.save(model.state_dict(), path)


def load(model: Recommender, path: Path) -> None:
    """Put saved weights into a model built with the same config and inputs.

    Raises ModelError for a file that is missing, that is not a weights file, or whose weights do not fit.
    """
    try:
        model.load_state_dict(torch.load(path, map_location=model.device, weights_only=True))
    except OSError as error:
        raise ModelError(f"{path}: the weights cannot be read ({error.strerror})") from error
    except (pickle.UnpicklingError, EOFError) as error:
        raise ModelError(f"{path}: not a file of weights: {error}") from error
    except (RuntimeError, KeyError, TypeError) as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{path}: these weights do not fit the model: {why}") from error


class _Examples:
    """Targets with the history strictly before them; a model that reads histories skips first items."""

    def __init__(self, history: Histories, profile: Tensor, length: int) -> None:
        self._history, self._profile, self._length = history, profile, length
        users = history.users()
        position = torch.arange(len(history.item), device=users.device) - history.start[users]
        keep = position >= 1 if length else torch.ones_like(position, dtype=torch.bool)
        self._user, self._position, self._target = users[keep], position[keep], history.item[keep]

    def __len__(self) -> int:
        return len(self._user)

    def batch(self, rows: Tensor) -> Batch:
        user = self._user[rows]
        before = self._history.before(user, self._position[rows], self._length)
        return Batch(user, before, self._profile[user], self._target[rows])


def _ndcg(model: Recommender, history: Histories, profile: Tensor, validation: Interactions) -> float:
    _, metrics = evaluate(model, history, profile, validation, [10])
    return float(metrics["ndcg@10"].mean())
