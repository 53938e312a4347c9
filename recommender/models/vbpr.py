"""VBPR: matrix factorisation that also reads pictures, He and McAuley (2016), arXiv:1510.01784."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recommender.models.base import Batch, Inputs, ModelError, Recommender
from recommender.models.layers.pairwise import PairwiseLoss

_SPREAD = 0.01
"""Of the first factors: small, so that what has hardly been learnt ranks by its bias and not by chance. On Amazon Beauty
d^-1/2 / 2 loses a third of validation NDCG@10; on MovieLens-1M it makes no difference."""


@dataclass(frozen=True)
class VBPRConfig:
    """Options of VBPR."""

    dim: int = 64
    """Width of the factors g of users and items."""
    visual_dim: int = 64
    """Width of t_u and of E f_i; unused where there are no features of pictures."""
    negatives: int = 5
    """Uniform negatives outside the user's train items, per positive."""
    regularisation: float = 1e-4
    """Weight of the squared norm of g_u, t_u and g_i in a batch (the paper's lambda_Theta), per example."""
    visual_regularisation: float = 0.0
    """Weight of the squared norm of E and b' (the paper's lambda_E, which it finds best at zero)."""


class VBPR(Recommender):
    """score = b_i + g_u . g_i + t_u . (E f_i) + b' . f_i (Eq. 4, less what is the same for all items of a user).

    An item without a picture has f_i = 0, and the two visual terms add nothing. Without features of pictures for any item
    the model is matrix factorisation, BPRMF. The history given at serving is not used.
    """

    Config = VBPRConfig
    reads_visual = True

    def __init__(self, config: VBPRConfig, inputs: Inputs) -> None:
        super().__init__()
        if min(config.dim, config.visual_dim, config.negatives) < 1:
            raise ModelError("recommender.params: VBPR needs dim, visual_dim and negatives of at least 1")
        if min(config.regularisation, config.visual_regularisation) < 0:
            raise ModelError("recommender.params: VBPR needs regularisations of at least 0")
        self.config = config
        self.user = nn.Embedding(inputs.users, config.dim)
        self.item = nn.Embedding(inputs.items, config.dim)
        self.bias = nn.Parameter(torch.zeros(inputs.items))
        nn.init.normal_(self.user.weight, std=_SPREAD)
        nn.init.normal_(self.item.weight, std=_SPREAD)
        self.features: Tensor | None
        if inputs.visual is None:
            self.features = None
        else:
            self.register_buffer("features", inputs.visual.vectors, persistent=False)
            self.visual_user = nn.Embedding(inputs.users, config.visual_dim)
            nn.init.normal_(self.visual_user.weight, std=config.visual_dim**-0.5 / 2)
            # E and b' as one map; no bias, so that the zero row of an item without a picture stays zero.
            self.visual = nn.Linear(inputs.visual.dim, config.visual_dim + 1, bias=False)
        self.pairwise = PairwiseLoss(inputs, config.negatives, config.regularisation)

    def loss(self, batch: Batch) -> Tensor:
        """-log sigmoid of positive minus negative score, averaged over pairs, plus the L2 terms."""
        user, item, bias = self.user.weight, self.item.weight, self.bias
        if self.features is None:
            loss: Tensor = self.pairwise(batch, user, item, [user], [item], bias)
            return loss
        visual_user = self.visual_user.weight
        seen, shared = self._seen(self.features)
        users, items = torch.cat([user, visual_user], dim=1), torch.cat([item, seen], dim=1)
        loss = self.pairwise(batch, users, items, [user, visual_user], [item], bias + shared)
        return loss + self.config.visual_regularisation * self.visual.weight.square().sum()

    def users(self, batch: Batch) -> Tensor:
        """(B, 1, d) [g_u, t_u, 1]."""
        parts = [self.user(batch.user)]
        if self.features is not None:
            parts.append(self.visual_user(batch.user))
        return torch.cat([*parts, torch.ones_like(parts[0][:, :1])], dim=1)[:, None]

    def items(self) -> Tensor:
        """(I, d) [g_i, E f_i, b_i + b' . f_i]."""
        if self.features is None:
            return torch.cat([self.item.weight, self.bias[:, None]], dim=1)
        seen, shared = self._seen(self.features)
        return torch.cat([self.item.weight, seen, (self.bias + shared)[:, None]], dim=1)

    def _seen(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """E f_i (I, d) and b' . f_i (I,)."""
        both = self.visual(features)
        return both[:, :-1], both[:, -1]
