"""LightGCN: ids propagated over the graph of train (He et al. 2020, arXiv:2002.02126)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from recommender.models.base import Inputs, ModelError
from recommender.models.layers.graph import Bipartite
from recommender.models.layers.pairwise import PairwiseLoss
from recommender.models.layers.propagated import PropagatedRecommender

if TYPE_CHECKING:
    from recommender.models.base import Batch


_SPREAD = 0.01
"""Of the first embeddings: small, so that what has hardly been learnt does not rank by chance."""


@dataclass(frozen=True)
class LightGCNConfig:
    """Options of LightGCN."""

    dim: int = 64
    """Width of the embeddings."""
    layers: int = 2
    """L, layers of the propagation; 0 is matrix factorisation."""
    negatives: int = 5
    """Uniform negatives outside the user's train items, per positive (the paper's section IV-A: 5)."""
    regularisation: float = 1e-4
    """Weight of the squared norm of the layer-0 embeddings in a batch (LightGCN's Eq. 15), per example."""
    receiver_exponent: float = 0.5
    """Exponent of the receiving side's degree in the adjacency; with `sender_exponent` 0.5 it is Eq. 3."""
    sender_exponent: float = 0.5
    """Exponent of the sending side's degree."""


class LightGCN(PropagatedRecommender):
    """score = e_u . e_i of the mean of layers 0 to L (Eq. 3, 4, 6), learnt by BPR.

    Each step propagates the whole tables, whatever the batch, so batches are to be large. A user or an item without
    train interaction keeps its own embedding, over L + 1.
    """

    Config = LightGCNConfig

    def __init__(self, config: LightGCNConfig, inputs: Inputs) -> None:
        super().__init__()
        if config.dim < 1 or config.layers < 0:
            raise ModelError("recommender.params: LightGCN needs dim >= 1 and layers >= 0")
        self.config = config
        self.user = nn.Embedding(inputs.users, config.dim)
        self.item = nn.Embedding(inputs.items, config.dim)
        nn.init.normal_(self.user.weight, std=_SPREAD)
        nn.init.normal_(self.item.weight, std=_SPREAD)
        self.graph = Bipartite(inputs.train, inputs.items, config.receiver_exponent, config.sender_exponent)
        self.pairwise = PairwiseLoss(inputs, config.negatives, config.regularisation)

    def tables(self) -> tuple[Tensor, Tensor]:
        """(U, d) and (I, d) the means of the layers."""
        return self.graph.propagate(self.user.weight, self.item.weight, self.config.layers)

    def loss(self, batch: Batch) -> Tensor:
        """BPR plus L2 of the embeddings before propagation."""
        loss: Tensor = self.pairwise(batch, *self.tables(), [self.user.weight], [self.item.weight])
        return loss
