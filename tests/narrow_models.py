"""Recommenders whose effect on a world is known beforehand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from recommender.models import Recommender

TRAINED_ON = []
"""Of every model that was built here: the users that train has something of."""


@dataclass(frozen=True)
class NoOptions:
    """None."""


class _Fixed(Recommender):
    """Nothing to train."""

    Config = NoOptions
    history_length = 5

    def loss(self, batch):
        raise NotImplementedError

    def users(self, batch):
        return torch.ones(len(batch.user), 1, 1)


class Popular(_Fixed):
    """The most popular first, counted when it is built."""

    def __init__(self, config, inputs):
        super().__init__()
        users = inputs.train.users().unique().tolist()
        TRAINED_ON.append(users)
        counts = torch.bincount(inputs.train.item, minlength=inputs.items).float()
        self.register_buffer("table", counts[:, None])

    def items(self):
        return self.table


class Scattered(_Fixed):
    """In an order that has nothing to do with anything."""

    def __init__(self, config, inputs):
        super().__init__()
        order = [hashlib.md5(str(item).encode()).digest()[0] for item in range(inputs.items)]
        self.register_buffer("table", torch.tensor(order, dtype=torch.float32)[:, None])

    def items(self):
        return self.table


class Narrow(_Fixed):
    """What reads like the newest items, and so more and more of the same."""

    reads_text = True

    def __init__(self, config, inputs):
        super().__init__()
        self.register_buffer("table", torch.nn.functional.normalize(inputs.text.vectors, dim=1))

    def users(self, batch):
        padded = torch.cat([self.table.new_zeros(1, self.table.shape[1]), self.table])
        return padded[batch.history + 1].sum(1)[:, None]

    def items(self):
        return self.table
