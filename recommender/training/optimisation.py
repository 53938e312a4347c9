"""One step of training: loss, gradients, AdamW."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from recommender.models import Batch, Recommender
    from recommender.training.config import TrainingConfig
    from recommender.training.distributed import Ranks


class Optimisation:
    """AdamW over a model's parameters, with the options of a training.

    The fused kernel is used on CPUs and GPUs alike: its step over a table of 64-wide vectors takes a sixth of the time of
    the one that loops over tensors, and less than sparse updates take up to some 300,000 rows.
    """

    def __init__(self, model: Recommender, config: TrainingConfig, planned: int, ranks: Ranks) -> None:
        """`planned` is the number of steps in `max_epochs`."""
        self.execution = "compiled" if config.compile else "eager"
        self._config, self._planned, self._ranks = config, planned, ranks
        self._device = model.device.type
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._adam = torch.optim.AdamW(
            self._parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self._eager = model.loss
        self._loss: Callable[[Batch], Tensor] = torch.compile(model.loss) if config.compile else model.loss

    def step(self, batch: Batch, number: int, share: float) -> Tensor:
        """Take step `number` (from 0) and return the loss; `share` is the part of the global batch that `batch` is.

        The loss of one rank is its part of the mean over the global batch.
        """
        loss = self._backward(batch, share)
        self._ranks.sum_gradients(self._parameters)
        if self._config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._config.clip_norm)
        for group in self._adam.param_groups:
            group["lr"] = self._config.learning_rate * self._factor(number)
        self._adam.step()
        return loss

    def state(self) -> dict[str, Any]:
        """The optimiser's state, for a checkpoint."""
        return self._adam.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """The reverse of `state`."""
        self._adam.load_state_dict(state)

    def _backward(self, batch: Batch, share: float) -> Tensor:
        try:
            return self._gradients(self._loss, batch, share)
        except Exception as error:
            if self._loss is self._eager:
                raise
            # Where compiling is not to blame, the same error comes again below.
            loss = self._gradients(self._eager, batch, share)
            self._loss = self._eager
            first_line = str(error).strip().partition("\n")[0]
            self.execution = f"eager: torch.compile failed ({type(error).__name__}: {first_line})"
            return loss

    def _gradients(self, loss_of: Callable[[Batch], Tensor], batch: Batch, share: float) -> Tensor:
        self._adam.zero_grad(set_to_none=True)
        with torch.autocast(self._device, torch.bfloat16, enabled=self._config.precision == "bf16"):
            loss = loss_of(batch)
        if share != 1:
            loss = loss * share
        loss.backward()
        return loss.detach()

    def _factor(self, number: int) -> float:
        warmup = self._config.warmup_steps
        if number < warmup:
            return (number + 1) / (warmup + 1)
        if self._config.schedule == "constant":
            return 1.0
        done = (number - warmup) / max(self._planned - warmup, 1)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
