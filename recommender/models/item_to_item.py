"""Item-to-item models: an item's score is the sum of its weights from the items of the history."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from recommender.models.base import Batch, Inputs, ModelError, Recommender

if TYPE_CHECKING:
    from recommender.data.histories import Histories


class ItemToItem(Recommender):
    """score(u, i) = sum over the items j of u's history of w_ji, computed from train when built.

    The user vector is the row of scores itself and the item vectors are the identity: they exist for export only,
    `score` makes neither.
    """

    def __init__(self, inputs: Inputs, recent: int | None) -> None:
        """`recent`: how many of the newest items of the history count; None = all."""
        super().__init__()
        if recent is not None and (type(recent) is not int or recent < 1):
            raise ModelError(
                f"recommender.params.recent: {recent!r} is not a whole number of at least 1, or null"
            )
        self.history_length = recent
        self.catalogue_size = inputs.items

    @abstractmethod
    def catalogue(self) -> Tensor:
        """The weights, in whatever form `score` reads them."""

    @abstractmethod
    def score(self, batch: Batch, catalogue: Tensor) -> Tensor:
        """(B, I) sums of weights."""

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the targets under a softmax of the scores (nothing to train)."""
        assert batch.target is not None
        return functional.cross_entropy(self.score(batch, self.catalogue()), batch.target)

    def users(self, batch: Batch) -> Tensor:
        """(B, 1, I) scores."""
        return self.score(batch, self.catalogue())[:, None]

    def items(self) -> Tensor:
        """(I, I) identity."""
        return torch.eye(self.catalogue_size, device=self.device)


def interaction_matrix(train: Histories, items: int) -> Any:
    """X as a scipy CSR array (U, I) of float64: 1 where the user has the item."""
    size = len(train.start) - 1, items
    taken = sparse.csr_array(
        (np.ones(len(train.item)), train.item.numpy(), train.start.numpy()), shape=size, copy=True
    )
    taken.sum_duplicates()
    taken.data[:] = 1
    return taken
