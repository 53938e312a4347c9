"""MMGCL: multi-modal graph contrastive learning (Yi et al. 2022, SIGIR, doi:10.1145/3477495.3532027).

A LightGCN for ids and one for each modality, concatenated and projected; BPR plus InfoNCE between two views. The views:
one thins each branch's graph on its own (modality edge dropout), the other has one modality, drawn a step, masked.
Against a positive item stand the other items of the batch and, as the hard one, itself with one branch swapped for another
item's. Published code contrasts one view with itself, drops the hard negatives and feeds pictures to the text branch.
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
class MMGCLConfig:
    """Options of MMGCL."""

    dim: int = 64
    """Width of each branch and of the projection."""
    layers: int = 2
    """L, layers of each branch's propagation."""
    text: bool = True
    """A branch of texts, where text features exist."""
    visual: bool = True
    """A branch of pictures, where features of pictures exist."""
    contrast: float = 0.03
    """a, the weight of InfoNCE; 0 trains without views."""
    temperature: float = 0.2
    """tau of InfoNCE."""
    edge_dropout: float = 0.1
    """Probability with which an edge is dropped from a thinned graph."""
    contrasted: int = 1024
    """Users, and items, that are contrasted in a step, drawn among the batch's, of several ranks among each one's own; the cost is
    their square."""
    negatives: int = 5
    """Uniform negatives outside the user's train items, per positive (the paper's section IV-A: 5)."""
    regularisation: float = 1e-4
    """Weight of the squared norm of the ids and preferences in a batch, per example."""


class MMGCL(PropagatedRecommender):
    """score = e_u . e_i with e = P [h_id; h_visual; h_text], one P for users and items; views are made by `loss` alone.

    An item without a modality has no vector in that branch before propagation and sends nothing. A modality that no item
    has is left out; without any, both views are thinned graphs of the ids and there is no branch to mask or swap.
    """

    Config = MMGCLConfig
    reads_text = True
    reads_visual = True

    def __init__(self, config: MMGCLConfig, inputs: Inputs) -> None:
        super().__init__()
        if min(config.dim, config.contrasted) < 1 or min(config.layers, config.contrast) < 0:
            raise ModelError(
                "recommender.params: MMGCL needs dim and contrasted of at least 1, layers and contrast of at least 0"
            )
        if not (config.temperature > 0 and 0 <= config.edge_dropout < 1):
            raise ModelError("recommender.params: MMGCL needs temperature > 0 and 0 <= edge_dropout < 1")
        self.config = config
        d = config.dim
        offered = (inputs.visual if config.visual else None, inputs.text if config.text else None)
        there = [each for each in offered if each is not None and each.present.any()]
        self.item = nn.Embedding(inputs.items, d)
        nn.init.normal_(self.item.weight, std=d**-0.5)
        self.modalities = nn.ModuleList(_Projection(modality, d) for modality in there)
        self.preference = nn.Parameter(torch.randn(1 + len(there), inputs.users, d) * d**-0.5)
        """Users' vectors before propagation, branch by branch, ids first."""
        self.project = nn.Linear((1 + len(there)) * d, d, bias=False)
        self.graph = Bipartite(inputs.train, inputs.items)
        self.pairwise = PairwiseLoss(inputs, config.negatives, config.regularisation)

    def tables(self) -> tuple[Tensor, Tensor]:
        """(U, d) and (I, d) the projected branches of the whole graph."""
        users, items = self._branches(thin=False)
        return self._project(torch.cat(users, dim=1)), self._project(torch.cat(items, dim=1))

    def loss(self, batch: Batch) -> Tensor:
        """BPR plus a times the mean InfoNCE of users and of items."""
        assert batch.target is not None
        users, items = self._branches(thin=False)
        tables = self._project(torch.cat(users, dim=1)), self._project(torch.cat(items, dim=1))
        loss: Tensor = self.pairwise(batch, *tables, [*self.preference], [self.item.weight])
        if not self.config.contrast:
            return loss
        thin_users, thin_items = self._branches(thin=True)
        # One modality is masked for all, ids never; without any the second view is thinned as the first is.
        kept = torch.ones(len(users), 1, dtype=torch.bool, device=loss.device)
        if len(self.modalities):
            kept[1 + int(torch.randint(len(self.modalities), ()))] = False
        else:
            users, items = self._branches(thin=True)
        user, item = self._drawn(batch.user), self._drawn(batch.target)
        between = self._contrast(_rows(thin_users, user), _rows(users, user) * kept)
        first, second = _rows(thin_items, item), _rows(items, item) * kept
        if len(self.modalities):
            # Never the item itself, as far as there is another.
            count = len(self.item.weight)
            other = (item + torch.randint(1, max(count, 2), item.shape, device=item.device)) % count
            everything = torch.ones_like(kept)
            hard = (
                self._project(_swapped(first, _rows(thin_items, other), everything).flatten(1)),
                self._project(_swapped(second, _rows(items, other) * kept, kept).flatten(1)),
            )
        else:
            hard = None
        between = between + self._contrast(first, second, hard)
        return loss + self.config.contrast * between / 2

    def _branches(self, *, thin: bool) -> tuple[list[Tensor], list[Tensor]]:
        """Each branch's users (U, d) and items (I, d) after propagation, each over a thinned graph of its own if `thin`."""
        made = []
        for user, item in zip(
            self.preference, [self.item.weight, *(each() for each in self.modalities)], strict=True
        ):
            view = self.graph.thinned(self.config.edge_dropout) if thin else None
            made.append(self.graph.propagate(user, item, self.config.layers, view))
        return [user for user, _ in made], [item for _, item in made]

    def _contrast(self, first: Tensor, second: Tensor, hard: tuple[Tensor, Tensor] | None = None) -> Tensor:
        return info_nce(
            self._project(first.flatten(1)), self._project(second.flatten(1)), self.config.temperature, hard
        )

    def _project(self, branches: Tensor) -> Tensor:
        projected: Tensor = self.project(branches)
        return projected

    def _drawn(self, rows: Tensor) -> Tensor:
        """Up to `contrasted` of the different rows: equal ones would be each other's negatives."""
        rows = torch.unique(rows)
        return rows[torch.randperm(len(rows), device=rows.device)[: self.config.contrasted]]


def info_nce(
    first: Tensor, second: Tensor, temperature: float, hard: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """The mean over n rows and both directions of -log softmax of a row's cosine with its other view among all rows'.

    `first` and `second` (n, d) are two views of the same n; `hard` holds for each row one more negative of the first and
    of the second view. In float32 whatever comes in, also under autocast.
    """
    with torch.autocast(first.device.type, enabled=False):
        first, second = _unit(first), _unit(second)
        logits = first @ second.T / temperature
        own = logits.diagonal()
        to_second, to_first = logits.logsumexp(1), logits.logsumexp(0)
        if hard is not None:
            to_second = torch.logaddexp(to_second, (first * _unit(hard[1])).sum(1) / temperature)
            to_first = torch.logaddexp(to_first, (second * _unit(hard[0])).sum(1) / temperature)
        return (to_second + to_first).mean() / 2 - own.mean()


def _unit(x: Tensor) -> Tensor:
    return functional.normalize(x.float(), dim=1)


def _rows(branches: list[Tensor], row: Tensor) -> Tensor:
    """(n, M, d) the rows (n,) of each of M branches."""
    return torch.stack([branch[row] for branch in branches], dim=1)


def _swapped(own: Tensor, other: Tensor, choice: Tensor) -> Tensor:
    """(n, M, d) `own` with one branch of each row, drawn among the True of `choice` (M, 1), taken from `other`."""
    branch = torch.multinomial(choice[:, 0].float(), len(own), replacement=True)
    chosen = functional.one_hot(branch, len(choice)).bool()[..., None]
    return torch.where(chosen, other, own)


class _Projection(nn.Module):
    """Features of one modality as layer-0 vectors of items."""

    def __init__(self, modality: Modality, dim: int) -> None:
        super().__init__()
        self.register_buffer("features", modality.vectors, persistent=False)
        self.features: Tensor
        # No bias: an item without the modality has no vector.
        self.weight = nn.Linear(modality.dim, dim, bias=False)
        nn.init.normal_(self.weight.weight, std=dim**-0.5)

    def forward(self) -> Tensor:
        """(I, d)."""
        vectors: Tensor = self.weight(self.features)
        return vectors
