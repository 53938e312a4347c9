"""MCLN: multi-modal counterfactual learning (Li et al. 2023, SIGIR), the paper's backbone, as a recommender of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from recommender.models.base import Batch, Inputs, ModelError
from recommender.models.layers.mcln_items import ItemConfig, MclnItems
from recommender.models.layers.negatives import UniformNegatives
from recommender.models.layers.propagated import PropagatedRecommender


@dataclass(frozen=True)
class MCLNConfig(ItemConfig):
    """Options of MCLN."""

    negatives: int = 1
    """Uniform negatives outside the user's train items, per positive."""
    regularisation: float = 1e-4
    """Weight of the squared norm of a batch's ids, per example."""


class MCLN(PropagatedRecommender):
    """score = u.g + lambda_m u.v + u.t + u.m = u . e_i. The history given at serving is not used.

    u is the user's vector of the graph, the id's without one. The published code attends over the batch axis; that
    variant is left out, as its scores are not a function of user and item.
    """

    Config = MCLNConfig
    reads_text = True
    reads_visual = True

    def __init__(self, config: MCLNConfig, inputs: Inputs) -> None:
        super().__init__()
        config.require("MCLN")
        if config.negatives < 1 or config.regularisation < 0:
            raise ModelError("recommender.params: MCLN needs negatives >= 1 and regularisation >= 0")
        self.config = config
        self.tower = MclnItems(config, inputs, users=True)
        self.sampler = UniformNegatives(inputs.train, inputs.items)

    def tables(self) -> tuple[Tensor, Tensor]:
        """(U, d) u and (I, d) e_i."""
        users, g = self.tower.graph_vectors()
        return users, self.tower.table(g)

    def loss(self, batch: Batch) -> Tensor:
        """BPR of each head, averaged over pairs and summed over heads, plus the L2 term.

        The uninteracted item of a positive's attention is the user's drawn negative, that of a negative the next
        one drawn. A head is not compared where one of the two items lacks its modality.
        """
        assert batch.target is not None
        assert self.tower.user is not None
        count = self.config.negatives
        users, g = self.tower.graph_vectors()
        negative = self.sampler.draw(batch.user, count + 1)
        # (B, negatives + 2): the positive first; each one's uninteracted item is its right neighbour.
        item = torch.cat([batch.target[:, None], negative], dim=1)
        row = torch.arange(item.numel(), device=item.device).view_as(item)
        heads, has = self.tower.heads(
            self.tower.tokens(g)[item].flatten(0, 1),
            self.tower.present[item].flatten(0, 1),
            torch.cat([row[:, 1:], row[:, -1:]], dim=1).flatten(),
        )
        heads, has = heads.unflatten(0, item.shape)[:, :-1], has.unflatten(0, item.shape)[:, :-1]
        score = torch.einsum("bd,bnhd->bnh", users[batch.user], heads)
        pair = has[:, :1] & has[:, 1:]
        bpr = -functional.logsigmoid(score[:, :1] - score[:, 1:]) * pair
        ids = self.tower.item(item[:, :-1]).square().sum((0, 2))
        norm = self.tower.user(batch.user).square().sum() + ids[0] + ids[1:].mean()
        loss: Tensor = bpr.sum(2).mean() + self.config.regularisation * norm / len(item)
        return loss
