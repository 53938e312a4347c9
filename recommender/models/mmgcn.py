"""MMGCN: one graph network a modality, on top of shared ids (Wei et al. 2019, ACM Multimedia, doi:10.1145/3343031.3351034).

Of one modality, with x^0 the users' learnt preferences and the items' projected features, and layers l = 1..L:

    h   = LeakyReLU(W1 mean over neighbours of x^(l-1))      the paper's Eq. 3 (mean aggregation)
    x^l = LeakyReLU(W3 h + LeakyReLU(W2 x^(l-1)) + id)       Eq. 4 and 7 (element-wise combination, the id as residual)

and the vectors are the mean over modalities of x^L (the paper's Eq. 8 has their sum, the same ranking up to a scale).
W1 is taken after the mean, which is linear. Every W is learnt, and the number of layers is an option; published code
falls short in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.models.base import Inputs, ModelError
from recommender.models.layers.graph import Bipartite
from recommender.models.layers.pairwise import PairwiseLoss
from recommender.models.layers.propagated import PropagatedRecommender

if TYPE_CHECKING:
    from recommender.features.modality import Modality
    from recommender.models.base import Batch


@dataclass(frozen=True)
class MMGCNConfig:
    """Options of MMGCN."""

    dim: int = 64
    """Width of ids and of every layer."""
    layers: int = 3
    """L, layers of each modality's network."""
    text: bool = True
    """A network of texts, where text features exist."""
    visual: bool = True
    """A network of pictures, where features of pictures exist."""
    negatives: int = 5
    """Uniform negatives outside the user's train items, per positive (the paper's section IV-A: 5)."""
    regularisation: float = 1e-4
    """Weight of the squared norm of the ids and preferences in a batch, per example."""


class MMGCN(PropagatedRecommender):
    """score = e_u . e_i of the means over modalities, learnt by BPR.

    An item without the modality has no vector before the first layer: nothing of it enters the mean of its users, which
    is taken over their other items, and its own first layer has its users' preferences and its id alone. A modality that no
    item has is left out. Without any, ids are all there is: one network in which no item has a vector before the first layer.
    """

    Config = MMGCNConfig
    reads_text = True
    reads_visual = True

    def __init__(self, config: MMGCNConfig, inputs: Inputs) -> None:
        super().__init__()
        if min(config.dim, config.layers) < 1:
            raise ModelError("recommender.params: MMGCN needs dim and layers of at least 1")
        self.config = config
        self.user = nn.Embedding(inputs.users, config.dim)
        self.item = nn.Embedding(inputs.items, config.dim)
        nn.init.normal_(self.user.weight, std=config.dim**-0.5)
        nn.init.normal_(self.item.weight, std=config.dim**-0.5)
        self.graph = Bipartite(inputs.train, inputs.items, receiver=1, sender=0)
        offered = (inputs.visual if config.visual else None, inputs.text if config.text else None)
        there: list[Modality | None] = [each for each in offered if each is not None and each.present.any()]
        self.networks = nn.ModuleList(
            _Network(config, self.graph, inputs.users, modality) for modality in there or [None]
        )
        self.pairwise = PairwiseLoss(inputs, config.negatives, config.regularisation)

    def tables(self) -> tuple[Tensor, Tensor]:
        """(U, d) and (I, d) the means over modalities."""
        users, items = self.user.weight, self.item.weight
        made = [network(self.graph, users, items) for network in self.networks]
        return torch.stack([u for u, _ in made]).mean(0), torch.stack([i for _, i in made]).mean(0)

    def loss(self, batch: Batch) -> Tensor:
        """BPR plus L2 of ids and preferences."""
        learnt = [self.user.weight, *(network.preference for network in self.networks)]
        loss: Tensor = self.pairwise(batch, *self.tables(), learnt, [self.item.weight])
        return loss


class _Network(nn.Module):
    """One modality's layers, its users' preferences and its projection of features."""

    def __init__(self, config: MMGCNConfig, graph: Bipartite, users: int, modality: Modality | None) -> None:
        super().__init__()
        d = config.dim
        self.preference = nn.Parameter(torch.randn(users, d) * d**-0.5)
        self.features: Tensor | None
        if modality is None:
            self.features = None
        else:
            self.register_buffer("features", modality.vectors, persistent=False)
            # No bias: an item without the modality stays without a vector.
            self.project = nn.Linear(modality.dim, d, bias=False)
            nn.init.normal_(self.project.weight, std=d**-0.5)
            present = modality.present[:, None].float()
            share, _ = graph.receive(torch.zeros(users, 1), present)
            # A user's mean is over the items that have the modality; where none has, it is zero over one.
            self.register_buffer("share", torch.where(share > 0, share, 1), persistent=False)
            self.share: Tensor
        self.layers = nn.ModuleList(_Layer(d) for _ in range(config.layers))

    def forward(self, graph: Bipartite, user_id: Tensor, item_id: Tensor) -> tuple[Tensor, Tensor]:
        """(U, d) and (I, d) x^L."""
        users = self.preference
        items = torch.zeros_like(item_id) if self.features is None else self.project(self.features)
        for number, layer in enumerate(self.layers):
            of_users, of_items = graph.receive(users, items)
            if number == 0 and self.features is not None:
                of_users = of_users / self.share
            users, items = layer(users, of_users, user_id), layer(items, of_items, item_id)
        return users, items


class _Layer(nn.Module):
    """Aggregation and combination, with one set of weights for users and items."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.aggregate = nn.Linear(dim, dim)
        self.keep = nn.Linear(dim, dim)
        self.combine = nn.Linear(dim, dim)
        for each in (self.aggregate, self.keep, self.combine):
            nn.init.xavier_normal_(each.weight)

    def forward(self, x: Tensor, received: Tensor, identity: Tensor) -> Tensor:
        h = functional.leaky_relu(self.aggregate(received))
        return functional.leaky_relu(self.combine(h) + functional.leaky_relu(self.keep(x)) + identity)
