"""ItemKNN: item-based nearest neighbours, Deshpande and Karypis (2004), doi:10.1145/963770.963776; Sarwar et al. (2001)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from recommender.data.histories import PAD
from recommender.models.base import Batch, Inputs, ModelError
from recommender.models.item_to_item import ItemToItem, interaction_matrix

_PAIRS = 2**24
"""Pairs of items counted at once while similarities are computed."""
_TERMS = 2**22
"""Terms of scores gathered at once."""


@dataclass(frozen=True)
class ItemKNNConfig:
    """Options of ItemKNN."""

    neighbours: int = 100
    """k: most similar items that are kept of each item."""
    shrink: float = 0.0
    """Added to the cosine's denominator: pulls down similarities that few users support."""
    recent: int | None = None
    """How many of the newest items of the history are scored from; None = all."""


class ItemKNN(ItemToItem):
    """score(u, i) = sum of sim(j, i) over the items j of the history that have i among their k nearest.

    sim(j, i) = |users of both| / (sqrt(|users of j| |users of i|) + shrink), the cosine of binary columns; equal ones
    are ordered by item number. As in Deshpande and Karypis, an item's own neighbours are kept, not those it is a
    neighbour of. Memory: 8 I k bytes; similarities are computed in blocks of items, never all together.
    """

    Config = ItemKNNConfig

    def __init__(self, config: ItemKNNConfig, inputs: Inputs) -> None:
        super().__init__(inputs, config.recent)
        if config.neighbours < 1 or not config.shrink >= 0:
            raise ModelError("recommender.params: ItemKNN needs neighbours >= 1 and shrink >= 0")
        self.config = config
        shape = inputs.items, min(config.neighbours, inputs.items)
        self.register_buffer("neighbour", torch.zeros(shape, dtype=torch.int32))
        self.neighbour: Tensor
        # Zero where an item has fewer neighbours.
        self.register_buffer("similarity", torch.zeros(shape))
        self.similarity: Tensor
        self._fill(inputs)

    def catalogue(self) -> Tensor:
        """(I, k) similarities."""
        return self.similarity

    def score(self, batch: Batch, catalogue: Tensor) -> Tensor:
        """(B, I) sums of similarities to the history."""
        users, width = len(batch.history), catalogue.shape[1]
        scored = catalogue.new_zeros(users, self.catalogue_size)
        for part in batch.history.split(max(_TERMS // max(users * width, 1), 1), dim=1):
            item = part.clamp(min=0)
            terms = catalogue[item] * (part != PAD)[..., None]
            scored.scatter_add_(1, self.neighbour[item].long().flatten(1), terms.flatten(1))
        return scored

    def _fill(self, inputs: Inputs) -> None:
        taken = interaction_matrix(inputs.train, inputs.items).tocsc()
        root = np.sqrt(np.diff(taken.indptr))
        taken_by = taken.T.tocsr()
        # The pairs that an item takes part in: the histories of its users, all told.
        pairs = np.cumsum(taken_by @ taken.sum(axis=1))
        block = (pairs // _PAIRS).astype(np.int64)
        edges = [0, *(np.flatnonzero(np.diff(block)) + 1), inputs.items]
        for first, last in pairwise(edges):
            common = (taken_by[first:last] @ taken).tocoo()
            row, column, count = common.row + first, common.col, common.data
            other = row != column
            row, column, count = row[other], column[other], count[other]
            value = count / (root[row] * root[column] + self.config.shrink)
            order = np.lexsort((column, -value, row))
            row, column, value = row[order], column[order], value[order]
            place = np.arange(len(row)) - np.searchsorted(row, row)
            near = place < self.similarity.shape[1]
            where = torch.from_numpy(row[near]).long(), torch.from_numpy(place[near])
            self.neighbour[where] = torch.from_numpy(column[near].astype(np.int32))
            self.similarity[where] = torch.from_numpy(value[near].astype(np.float32))
