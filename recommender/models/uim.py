"""UiM: user-insight multi-modal recommendation (the paper's section III), on the item vectors of MCLN.

Readings where the paper is silent or contradicts itself: routing logits are replaced, not added (Eq. 7);
the interest enters Eq. 11 as [e_u^k; s_k], since the printed form would drop it; p of Eq. 12 is a softmax of
max_k o_k . e_t over the positive and its negatives. What goes beyond the paper is off in `FaithfulUiM`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models.base import Batch, Inputs, ModelError
from recommender.models.layers.mcln_items import ItemConfig, MclnItems
from recommender.models.layers.propagated import PropagatedRecommender
from recommender.models.layers.recency import Recency
from recommender.models.layers.routing import coupling, route
from recommender.models.layers.softmax import CatalogueSoftmax, Negatives
from recommender.models.mcln import MCLN, MCLNConfig


@dataclass(frozen=True)
class UiMConfig(ItemConfig):
    """Options of UiM; those of the item vectors are MCLN's."""

    graph: bool = False
    """Propagate ids over the graph of train interactions: every step pays for the whole graph, so batches should be large."""
    attention: bool = False
    """Add m_i, what counterfactual attention makes of the item's tokens."""
    interests: int = 3
    """K, the number of capsules (the paper's Fig. 3 finds 3 best on MovieLens)."""
    multi_interest: bool = True
    """Off: K = 1; without the profile too, the model is exactly MCLN, the first row of the paper's Table III."""
    history: int = 30
    """L, newest items of the history that are read (the paper's Fig. 4)."""
    profile: bool = True
    """Off: a_t = 1 and o_k = MLP(s_k), the paper's Table III without Profile."""
    profile_dim: int = 16
    """Width of each profile field's embedding."""
    negatives: Negatives = field(default="full", metadata={"types": (str, int)})
    """"full", the whole catalogue; "in_batch", the batch's other targets; or so many, drawn uniformly."""
    shared: bool = False
    """Draw a number of negatives once for the whole batch, not for each example: then thousands of them are cheap."""
    log_q: bool = True
    """Weigh negatives of the batch and drawn ones so that they estimate the whole softmax; off: they are its whole sum."""
    temperature: float = 1.0
    """tau of the softmax."""
    position: bool = True
    """Add an embedding of the place in the history (1 = newest) to each item vector before the gate and the routing.
    The paper's Eq. 4-8 treat the history as a set; off is faithful to them."""
    recency: bool = True
    """Add to each interest a sum of the history's items weighed by place, so that what came last is not washed out."""
    dropout: float = 0.0
    """Share of the entries of history vectors and of the MLP's output that are zeroed in training."""
    truncate: float = 0.0
    """Share of the training examples that keep only some of their newest items, 1 to L, drawn evenly: trained on long histories
    alone, the model serves short ones badly."""
    cosine: bool = False
    """Score by the cosine, with a `temperature` well below 1."""
    item_bias: bool = False
    """Add a bias b_i to the score."""
    label_aware: bool = False
    """Train only the interest that likes the target best, on all items (ComiRec's hard readout), instead of each
    item's own best interest."""
    diversity: float = 0.0
    """Weight of the mean squared cosine between the capsules s_k of a user, against their collapse into one."""


class UiM(PropagatedRecommender):
    """K interests per user, routed from the history and regulated by the profile."""

    Config: ClassVar[type[Any]] = UiMConfig
    reads_text = True
    reads_visual = True

    def __init__(self, config: UiMConfig, inputs: Inputs) -> None:
        super().__init__()
        name = type(self).__name__
        config.require(name)
        if min(config.interests, config.history, config.profile_dim) < 1:
            raise ModelError(
                f"recommender.params: {name} needs interests, history and profile_dim of at least 1"
            )
        if not 0 <= config.dropout < 1 or not 0 <= config.truncate <= 1 or not config.diversity >= 0:
            raise ModelError(
                f"recommender.params: {name} needs 0 <= dropout < 1, 0 <= truncate <= 1 and diversity >= 0"
            )
        self.config = config
        self.backbone: MCLN | None = None
        if not config.profile and not config.multi_interest:
            options = {each.name: getattr(config, each.name) for each in fields(ItemConfig)}
            self.backbone = MCLN(MCLNConfig(**options), inputs)
            return
        self.history_length = config.history
        d, k = config.dim, config.interests if config.multi_interest else 1
        self.tower = MclnItems(config, inputs)
        self.bias = nn.Parameter(torch.zeros(inputs.items, 1)) if config.item_bias else None
        self.capsule = nn.Parameter(torch.empty(k, d, d))
        nn.init.xavier_uniform_(self.capsule)
        first = torch.randn(config.history, k, generator=torch.Generator().manual_seed(0))
        self.register_buffer("first_logits", first)
        self.first_logits: Tensor
        self.place = nn.Parameter(torch.zeros(config.history, d)) if config.position else None
        self.recent = Recency(config.history, k, d) if config.recency else None
        self.drop = nn.Dropout(config.dropout)
        self.fields = nn.ModuleList()
        width = 0
        if config.profile and inputs.profile_sizes:
            self.fields.extend(nn.Embedding(size, config.profile_dim) for size in inputs.profile_sizes)
            width = len(self.fields) * config.profile_dim
            self.gate_item = nn.Linear(d, d, bias=False)
            self.gate_user = nn.Linear(width, d)
            self.gate_out = nn.Linear(d, 1)
            self.weigh = nn.Sequential(nn.Linear(d + width, d), nn.ReLU(), nn.Linear(d, len(self.fields)))
        self.fuse = nn.Sequential(nn.Linear(width + d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d))
        self.softmax = CatalogueSoftmax(
            inputs.train,
            inputs.items,
            config.negatives,
            temperature=config.temperature,
            shared=config.shared,
            log_q=config.log_q,
        )

    def tables(self) -> tuple[Tensor, Tensor]:
        """Vectors of users that the graph has, which UiM does not serve, and (I, d) e_i."""
        if self.backbone:
            return self.backbone.tables()
        users, g = self.tower.graph_vectors()
        return users, self.tower.table(g)

    def items(self) -> Tensor:
        """(I, d) e_i; of length one with `cosine`, and with the bias as one more dimension where there is one."""
        return self.backbone.items() if self.backbone else self._scored(super().items())

    def users(self, batch: Batch) -> Tensor:
        """(B, K, d) interests o_k (Eq. 11), as `items` has them."""
        if self.backbone:
            return self.backbone.users(batch)
        vectors, weight = self._history(batch, super().items())
        return self._interests(batch, vectors, self._capsules(vectors, weight))

    def loss(self, batch: Batch) -> Tensor:
        """Eq. 12-13: -log softmax of the target's best-interest score; weight decay is the optimiser's."""
        if self.backbone:
            return self.backbone.loss(batch)
        assert batch.target is not None
        if self.config.truncate:
            batch = replace(batch, history=_truncated(batch.history, self.config.truncate))
        table = super().items()
        vectors, weight = self._history(batch, table)
        capsules = self._capsules(vectors, weight)
        interests, scored = self._interests(batch, vectors, capsules), self._scored(table)
        if self.config.label_aware:
            likes = torch.einsum("bkd,bd->bk", interests, scored[batch.target])
            best = likes.argmax(1)[:, None, None].expand(-1, 1, interests.shape[2])
            interests = interests.gather(1, best)
        loss: Tensor = self.softmax(interests, scored, batch.target, batch.user)
        if self.config.diversity:
            loss = loss + self.config.diversity * _likeness(capsules)
        return loss

    def field_weights(self, batch: Batch) -> Tensor:
        """(B, K, F) x_k of Eq. 9: how much each profile field matters to each interest (Fig. 5)."""
        if self.backbone or not self.fields:
            raise ModelError("this UiM was built without the profile")
        capsules = self._capsules(*self._history(batch, super().items()))
        return self._weights(capsules, self._fields(batch).flatten(1))

    def routing(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, L) a_t of Eq. 4, zero at padding, and (B, L, K) c_tk of Eq. 6: how much each item of the history counts, and which
        share of it goes to which interest (Fig. 6).
        """
        if self.backbone:
            raise ModelError("this UiM was built without interests: nothing is routed")
        vectors, weight = self._history(batch, super().items())
        return weight, coupling(self._placed(vectors), self.capsule, weight, self.first_logits)

    def _scored(self, table: Tensor) -> Tensor:
        """The item vectors as they are multiplied with interests."""
        if self.config.cosine:
            table = functional.normalize(table, dim=-1)
        return table if self.bias is None else torch.cat([table, self.bias], dim=1)

    def _history(self, batch: Batch, table: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, d) e_t, and (B, L) a_t of Eq. 4, zero at padding."""
        real = batch.history != PAD
        index = batch.history.clamp(min=0)
        vectors = self.drop(functional.embedding(index, table))
        if not self.fields:
            return vectors, real.to(table.dtype)
        # Eq. 4 with W1 [e_i; e_u] = W1a e_i + W1b e_u, each computed once per item, place and user.
        profile = self._fields(batch).flatten(1)
        hidden = functional.embedding(index, self.gate_item(table)) + self.gate_user(profile)[:, None]
        if self.place is not None:
            hidden = hidden + self.gate_item(self.place)
        return vectors, real * torch.sigmoid(self.gate_out(functional.relu(hidden)))[..., 0]

    def _capsules(self, vectors: Tensor, weight: Tensor) -> Tensor:
        """(B, K, d) s_k."""
        return route(self._placed(vectors), self.capsule, weight, self.first_logits)

    def _placed(self, vectors: Tensor) -> Tensor:
        return vectors if self.place is None else vectors + self.place

    def _interests(self, batch: Batch, vectors: Tensor, capsules: Tensor) -> Tensor:
        """(B, K, d) o_k from history vectors and capsules."""
        parts = capsules
        if self.fields:
            fields = self._fields(batch)
            weighted = self._weights(capsules, fields.flatten(1))[..., None] * fields[:, None]
            parts = torch.cat([weighted.flatten(2), capsules], dim=-1)
        interests: Tensor = self.drop(self.fuse(parts))
        if self.recent is not None:
            interests = interests + self.recent(vectors, batch.history != PAD)
        if self.config.cosine:
            interests = functional.normalize(interests, dim=-1)
        return interests if self.bias is None else functional.pad(interests, (0, 1), value=1.0)

    def _fields(self, batch: Batch) -> Tensor:
        """(B, F, profile_dim) e_u^n."""
        return torch.stack([each(batch.profile[:, n]) for n, each in enumerate(self.fields)], dim=1)

    def _weights(self, capsules: Tensor, profile: Tensor) -> Tensor:
        expanded = profile[:, None].expand(-1, capsules.shape[1], -1)
        return torch.sigmoid(self.weigh(torch.cat([capsules, expanded], dim=-1)))


@dataclass(frozen=True)
class FaithfulUiMConfig(UiMConfig):
    """Options of UiM, by default the paper's: MCLN whole, a history without order, negatives of the batch, no more."""

    graph: bool = True
    attention: bool = True
    negatives: Negatives = field(default="in_batch", metadata={"types": (str, int)})
    position: bool = False
    recency: bool = False


class FaithfulUiM(UiM):
    """UiM as the paper writes it."""

    Config = FaithfulUiMConfig


def _truncated(history: Tensor, share: float) -> Tensor:
    """(B, L) histories, of which a `share` keep so many of their newest places as are drawn from 1 to L."""
    rows, length = history.shape
    kept = torch.randint(1, length + 1, (rows, 1), device=history.device)
    whole = torch.rand(rows, 1, device=history.device) >= share
    newest = torch.arange(length, 0, -1, device=history.device) <= kept
    return history.masked_fill(~(whole | newest), PAD)


def _likeness(capsules: Tensor) -> Tensor:
    """Mean squared cosine between the capsules (B, K, d) of a user, over pairs; 0 for one capsule."""
    unit = functional.normalize(capsules, dim=-1)
    cosine = unit @ unit.transpose(1, 2)
    k = capsules.shape[1]
    return torch.triu(cosine.square(), diagonal=1).sum() / max(1, len(capsules) * k * (k - 1) // 2)
