"""MCLN: multi-modal counterfactual learning (Li et al. 2023, SIGIR), the paper's backbone, as a recommender of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from recommender.models.base import Batch, Inputs, ModelError
from recommender.models.layers.mcln_items import ItemConfig, MclnItems
from recommender.models.layers.negatives import UniformNegatives
from recommender.models.layers.pairwise import pair_scores
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

        The heads of all items are made once a step, as there are more places in a batch than items. A head is not
        compared where one of the two items lacks its modality.
        """
        assert batch.target is not None
        assert self.tower.user is not None
        users, g = self.tower.graph_vectors()
        heads, has = self.tower.catalogue_heads(g)
        negative = self.sampler.draw(batch.user, self.config.negatives)
        item = torch.cat([batch.target[:, None], negative], dim=1)
        count = heads.shape[1]
        head = item[..., None] * count + torch.arange(count, device=item.device)
        score = pair_scores(users, heads.flatten(0, 1), batch.user, head.flatten(1)).view_as(head)
        pair = has[item[:, :1]] & has[item[:, 1:]]
        bpr = -functional.logsigmoid(score[:, :1] - score[:, 1:]) * pair
        ids = self.tower.item(item).square().sum((0, 2))
        norm = self.tower.user(batch.user).square().sum() + ids[0] + ids[1:].mean()
        loss: Tensor = bpr.sum(2).mean() + self.config.regularisation * norm / len(item)
        return loss
