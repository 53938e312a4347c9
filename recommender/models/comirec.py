"""ComiRec-DR: several interests by dynamic routing, Cen et al. (2020), arXiv:2005.09347.

Readings: each place of the history, counted from the newest, has its own bilinear map into each interest, as in the authors'
code (the printed Eq. 1 shares one); coupling is a softmax over the interests of an item (Eq. 2), not over items; logits start
at zero and accumulate over three rounds, with no gradient through the first two; in training the interest nearest to the
target alone is taught (Eq. 8), by a sampled softmax with logQ (Eq. 9); serving takes the best interest. The controllable
aggregation for diversity (Eq. 12) is no part of a ranking by accuracy and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models.base import Batch, Inputs, ModelError, Recommender
from recommender.models.layers.routing import route_votes
from recommender.models.layers.softmax import CatalogueSoftmax, Negatives


@dataclass(frozen=True)
class ComiRecConfig:
    """Options of ComiRec-DR."""

    dim: int = 64
    """d: width of items and interests."""
    interests: int = 4
    """K (the paper's section 4.1: 4)."""
    history: int = 20
    """L, newest items of the history that are read."""
    negatives: Negatives = field(default=1280, metadata={"types": (str, int)})
    """A number of negatives that the batch shares (the authors' 10 for each of 128 examples), "full" or "in_batch"."""
    popularity: float = 0.0
    """Exponent of the train count with which negatives are drawn; 0 is uniform."""
    temperature: float = 1.0
    """tau of the softmax."""


class ComiRec(Recommender):
    """score = max_k v_k . e_i; a user without history has interests of zero."""

    Config = ComiRecConfig

    def __init__(self, config: ComiRecConfig, inputs: Inputs) -> None:
        super().__init__()
        if min(config.dim, config.interests, config.history) < 1:
            raise ModelError("recommender.params: ComiRec needs dim, interests and history of at least 1")
        self.config = config
        self.history_length = config.history
        d, k = config.dim, config.interests
        self.item = nn.Embedding(inputs.items, d)
        nn.init.normal_(self.item.weight, std=d**-0.5)
        # (L, d, K d): the maps of all interests side by side, one product a place. Glorot's bound of each map alone.
        self.transform = nn.Parameter(torch.empty(config.history, d, k * d))
        nn.init.uniform_(self.transform, -((3 / d) ** 0.5), (3 / d) ** 0.5)
        self.softmax = CatalogueSoftmax(
            inputs.train,
            inputs.items,
            config.negatives,
            temperature=config.temperature,
            popularity=config.popularity,
            shared=True,
        )

    def loss(self, batch: Batch) -> Tensor:
        """-log softmax of the target by its nearest interest, argmax_k v_k . e_t."""
        assert batch.target is not None
        interests, table = self.users(batch), self.items()
        nearest = torch.einsum("bkd,bd->bk", interests.detach(), table[batch.target]).argmax(1)
        chosen = interests[torch.arange(len(nearest), device=nearest.device), nearest]
        loss: Tensor = self.softmax(chosen[:, None], table, batch.target, batch.user)
        return loss

    def users(self, batch: Batch) -> Tensor:
        """(B, K, d)."""
        vectors = functional.embedding(batch.history.clamp(min=0), self.items())
        # One product for each place, (B, d) by (d, K d), since every place has a map of its own.
        votes = torch.bmm(vectors.transpose(0, 1), self.transform).transpose(0, 1)
        return route_votes(votes.unflatten(-1, (self.config.interests, -1)), batch.history != PAD)

    def items(self) -> Tensor:
        """(I, d)."""
        return self.item.weight
