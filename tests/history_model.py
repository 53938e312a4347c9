"""A recommender plug-in that needs no training and reads the history."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from recommender.models import Recommender


@dataclass(frozen=True)
class NoOptions:
    """None."""


class Alike(Recommender):
    """Popular items whose text is like that of the user's newest 20."""

    Config = NoOptions
    reads_text = True
    history_length = 20

    def __init__(self, config, inputs):
        super().__init__()
        counts = torch.bincount(inputs.train.item, minlength=inputs.items).float()
        self.register_buffer("table", torch.cat([inputs.text.vectors, torch.log1p(counts)[:, None]], dim=1))

    def loss(self, batch):
        return functional.cross_entropy(self.users(batch)[:, 0] @ self.items().T, batch.target)

    def users(self, batch):
        # The row before the first (padding) is taken as no text at all.
        padded = torch.cat([self.table.new_zeros(1, self.table.shape[1]), self.table])
        text = padded[batch.history + 1].sum(1)[:, :-1]
        return torch.cat([text, text.new_ones(len(text), 1)], dim=1)[:, None]

    def items(self):
        return self.table
