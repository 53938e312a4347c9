"""VBPR: matrix factorisation that also reads pictures, He and McAuley (2016), arXiv:1510.01784."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.models.base import Batch, Inputs, ModelError, Recommender
from recommender.models.layers.negatives import UniformNegatives


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
        nn.init.normal_(self.user.weight, std=config.dim**-0.5 / 2)
        nn.init.normal_(self.item.weight, std=config.dim**-0.5 / 2)
        self.features: Tensor | None
        if inputs.visual is None:
            self.features = None
        else:
            self.register_buffer("features", inputs.visual.vectors, persistent=False)
            self.visual_user = nn.Embedding(inputs.users, config.visual_dim)
            nn.init.normal_(self.visual_user.weight, std=config.visual_dim**-0.5 / 2)
            # E and b' as one map; no bias, so that the zero row of an item without a picture stays zero.
            self.visual = nn.Linear(inputs.visual.dim, config.visual_dim + 1, bias=False)
        self.sampler = UniformNegatives(inputs.train, inputs.items)

    def loss(self, batch: Batch) -> Tensor:
        """-log sigmoid of positive minus negative score, averaged over pairs, plus the L2 terms."""
        assert batch.target is not None
        negative = self.sampler.draw(batch.user, self.config.negatives)
        users, table = self.users(batch), self.items()
        positive_item, negative_item = (
            functional.embedding(item, table) for item in (batch.target[:, None], negative)
        )
        margin = ((positive_item - negative_item) * users).sum(-1)
        # The last column of `users` is the constant of the bias.
        norm = users[..., :-1].square().sum() + self.item(batch.target).square().sum()
        norm = norm + self.item(negative).square().sum() / self.config.negatives
        loss: Tensor = self.config.regularisation * norm / len(users) - functional.logsigmoid(margin).mean()
        if self.features is not None:
            loss = loss + self.config.visual_regularisation * self.visual.weight.square().sum()
        return loss

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
        seen, shared = self.visual(self.features).split([self.config.visual_dim, 1], dim=1)
        return torch.cat([self.item.weight, seen, self.bias[:, None] + shared], dim=1)
