"""SVD++: factors of the user and of what the user took, Koren (2008), doi:10.1145/1401890.1401944."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.data.histories import PAD, Histories
from recommender.models.base import Batch, Inputs, ModelError, Recommender
from recommender.models.layers.bags import history_sum
from recommender.models.layers.negatives import UniformNegatives


@dataclass(frozen=True)
class SVDppConfig:
    """Options of SVD++."""

    dim: int = 64
    """Width of user, item and implicit factors."""
    negatives: int = 5
    """Uniform negatives outside the user's train items, per positive (the paper's section IV-A: 5)."""
    regularisation: float = 1e-4
    """Weight of the squared norm of the factors in a batch, those of N(u) included (Koren's Eq. 15), per example."""


class SVDpp(Recommender):
    """score = b_i + q_i . (p_u + |N|^-1/2 sum_{j in N} y_j), Koren's Eq. 15 without ratings, ranked by BPR.

    At serving N is the history that the batch brings, whole. In training it is the user's train items but the target:
    with the target in its own sum, y_i . q_i alone would tell positives from negatives. The negatives of an example are
    scored by the same user vector.
    """

    Config = SVDppConfig
    history_length = None

    def __init__(self, config: SVDppConfig, inputs: Inputs) -> None:
        super().__init__()
        if config.dim < 1 or config.negatives < 1 or config.regularisation < 0:
            raise ModelError(
                "recommender.params: SVD++ needs dim >= 1, negatives >= 1 and regularisation >= 0"
            )
        self.config = config
        self.user = nn.Embedding(inputs.users, config.dim)
        self.item = nn.Embedding(inputs.items, config.dim)
        self.implicit = nn.Embedding(inputs.items, config.dim)
        self.bias = nn.Parameter(torch.zeros(inputs.items))
        for table in (self.user, self.item, self.implicit):
            nn.init.normal_(table.weight, std=config.dim**-0.5 / 2)
        self.sampler = UniformNegatives(inputs.train, inputs.items)
        # Kept out of the state dict: they are train data, not parameters.
        self.register_buffer("train_start", inputs.train.start, persistent=False)
        self.register_buffer("train_item", inputs.train.item, persistent=False)
        self.train_start: Tensor
        self.train_item: Tensor

    @property
    def training_length(self) -> int:
        """0: the sum in training is over train items, which the model has."""
        return 0

    def loss(self, batch: Batch) -> Tensor:
        """-log sigmoid of positive minus negative score, averaged over pairs, plus the L2 term.

        The targets are train items of their users; each is taken out of its user's sum.
        """
        assert batch.target is not None
        negative = self.sampler.draw(batch.user, self.config.negatives)
        p = self.user(batch.user)
        q = self.item(batch.target)
        q_negative = self.item(negative)
        implicit, norm_implicit = self._without_target(batch.user, batch.target)
        margin = ((q[:, None] - q_negative) * (p + implicit)[:, None]).sum(-1)
        margin = margin + self.bias[batch.target][:, None] - self.bias[negative]
        norm = p.square().sum() + q.square().sum() + q_negative.square().sum() / self.config.negatives
        norm = norm + norm_implicit
        loss: Tensor = self.config.regularisation * norm / len(p) - functional.logsigmoid(margin).mean()
        return loss

    def users(self, batch: Batch) -> Tensor:
        """(B, 1, dim + 1)."""
        size = (batch.history != PAD).sum(1, keepdim=True)
        implicit = history_sum(batch.history, self.implicit.weight) * size.clamp(min=1).rsqrt()
        p = self.user(batch.user) + implicit
        return torch.cat([p, torch.ones_like(p[:, :1])], dim=1)[:, None]

    def items(self) -> Tensor:
        """(I, dim + 1)."""
        return torch.cat([self.item.weight, self.bias[:, None]], dim=1)

    def _without_target(self, user: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """(B, dim) |N|^-1/2 sum_{j in N} y_j over train items but the target, and the squared norm of all those y_j.

        One sum for each distinct user of the batch, from which the targets are taken.
        """
        y = self.implicit.weight
        table = torch.cat([y, y.square().sum(1, keepdim=True)], dim=1)
        distinct, row = torch.unique(user, return_inverse=True)
        train = Histories(self.train_start, self.train_item)
        size = train.sizes()[distinct]
        _, item = train.entries(distinct)
        total = functional.embedding_bag(item, table, torch.cumsum(size, 0) - size, mode="sum")
        rest = total[row] - table[target]
        return rest[:, :-1] * (size[row, None] - 1).clamp(min=1).rsqrt(), rest[:, -1].sum()
