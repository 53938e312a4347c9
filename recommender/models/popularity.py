"""Popularity: the same list for everybody, the reference that any personal model has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from recommender.models.base import Batch, Inputs, Recommender


@dataclass(frozen=True)
class PopularityConfig:
    """No options."""


class Popularity(Recommender):
    """Score = log of the number of train interactions (add one), so its softmax is the train distribution."""

    Config = PopularityConfig

    def __init__(self, config: PopularityConfig, inputs: Inputs) -> None:
        super().__init__()
        counts = torch.bincount(inputs.train.item, minlength=inputs.items)
        self.register_buffer("log_counts", torch.log1p(counts.float()))
        self.log_counts: Tensor

    def loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of the targets under the train distribution (nothing to train)."""
        assert batch.target is not None
        return functional.cross_entropy(self.log_counts.expand(len(batch.target), -1), batch.target)

    def users(self, batch: Batch) -> Tensor:
        """(B, 1, 1) ones."""
        return torch.ones(len(batch.user), 1, 1, device=self.log_counts.device)

    def items(self) -> Tensor:
        """(I, 1) log counts."""
        return self.log_counts[:, None]
