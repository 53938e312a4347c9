"""UiM: user-insight multi-modal recommendation (the paper's section III), with ids, texts and pictures.

Readings where the paper is silent or contradicts itself: routing logits are replaced, not added (Eq. 7);
the interest enters Eq. 11 as [e_u^k; s_k], since the printed form would drop it; p of Eq. 12 is a softmax of
max_k o_k . e_t over the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models.base import Batch, Inputs, ModelError, Recommender, scores
from recommender.models.layers.routing import route


@dataclass(frozen=True)
class UiMConfig:
    """Options of UiM."""

    dim: int = 64
    """d: width of item vectors and interests."""
    interests: int = 3
    """K, the number of capsules (the paper's Fig. 3 finds 3 best on MovieLens)."""
    history: int = 30
    """L, newest items of the history that are read (the paper's Fig. 4)."""
    profile: bool = True
    """Off: a_t = 1 and o_k = MLP(s_k), the paper's Table III without Profile."""
    profile_dim: int = 16
    """Width of each profile field's embedding."""
    text: bool = True
    """Add W_t f_text to the item vector where text features exist."""
    visual: bool = True
    """Add W_v f_visual to the item vector where features of pictures exist."""
    position: bool = True
    """Add an embedding of the place in the history (1 = newest) to each item vector before the gate and the routing.
    The paper's Eq. 4-8 treat the history as a set; off is faithful to them."""
    temperature: float = 1.0
    """tau of the softmax."""


class UiM(Recommender):
    """K interests per user, routed from the history and regulated by the profile."""

    Config = UiMConfig
    reads_text = True
    reads_visual = True

    def __init__(self, config: UiMConfig, inputs: Inputs) -> None:
        super().__init__()
        if min(config.interests, config.history, config.dim, config.profile_dim) < 1:
            raise ModelError(
                "recommender.params: UiM needs interests, history, dim and profile_dim of at least 1"
            )
        if not config.temperature > 0:
            raise ModelError("recommender.params: UiM needs temperature > 0")
        self.config = config
        self.history_length = config.history
        d, k = config.dim, config.interests
        self.item = nn.Embedding(inputs.items, d)
        nn.init.normal_(self.item.weight, std=d**-0.5)
        self.text_features: Tensor | None
        if config.text and inputs.text is not None:
            self.register_buffer("text_features", inputs.text.vectors, persistent=False)
            # No bias: the zero row of an item without text adds nothing.
            self.text = nn.Linear(inputs.text.dim, d, bias=False)
        else:
            self.text_features = None
        self.visual_features: Tensor | None
        if config.visual and inputs.visual is not None:
            self.register_buffer("visual_features", inputs.visual.vectors, persistent=False)
            self.visual = nn.Linear(inputs.visual.dim, d, bias=False)
        else:
            self.visual_features = None
        self.capsule = nn.Parameter(torch.empty(k, d, d))
        nn.init.xavier_uniform_(self.capsule)
        first = torch.randn(config.history, k, generator=torch.Generator().manual_seed(0))
        self.register_buffer("first_logits", first)
        self.first_logits: Tensor
        self.place = nn.Parameter(torch.zeros(config.history, d)) if config.position else None
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

    def items(self) -> Tensor:
        """(I, d) e_i = id_i + W_t f_i + W_v v_i."""
        table: Tensor = self.item.weight
        if self.text_features is not None:
            table = table + self.text(self.text_features)
        if self.visual_features is not None:
            table = table + self.visual(self.visual_features)
        return table

    def users(self, batch: Batch) -> Tensor:
        """(B, K, d) interests o_k (Eq. 11)."""
        return self._interests(batch, self.items())

    def field_weights(self, batch: Batch) -> Tensor:
        """(B, K, F) x_k of Eq. 9: how much each profile field matters to each interest (Fig. 5)."""
        if not self.fields:
            raise ModelError("this UiM was built without the profile")
        fields = self._fields(batch)
        return self._weights(self._capsules(batch, self.items(), fields.flatten(1)), fields.flatten(1))

    def loss(self, batch: Batch) -> Tensor:
        """Eq. 12-13 over the whole catalogue: -log softmax of the target's best-interest score."""
        assert batch.target is not None
        table = self.items()
        logits = scores(self._interests(batch, table), table) / self.config.temperature
        return functional.cross_entropy(logits, batch.target)

    def _fields(self, batch: Batch) -> Tensor:
        """(B, F, profile_dim) e_u^n."""
        return torch.stack([field(batch.profile[:, n]) for n, field in enumerate(self.fields)], dim=1)

    def _interests(self, batch: Batch, table: Tensor) -> Tensor:
        if not self.fields:
            return self._fuse(self._capsules(batch, table, None))
        fields = self._fields(batch)
        capsules = self._capsules(batch, table, fields.flatten(1))
        weighted = self._weights(capsules, fields.flatten(1))[..., None] * fields[:, None]
        return self._fuse(torch.cat([weighted.flatten(2), capsules], dim=-1))

    def _fuse(self, interests: Tensor) -> Tensor:
        fused: Tensor = self.fuse(interests)
        return fused

    def _weights(self, capsules: Tensor, profile: Tensor) -> Tensor:
        expanded = profile[:, None].expand(-1, capsules.shape[1], -1)
        return torch.sigmoid(self.weigh(torch.cat([capsules, expanded], dim=-1)))

    def _capsules(self, batch: Batch, table: Tensor, profile: Tensor | None) -> Tensor:
        """(B, K, d) s_k."""
        real = batch.history != PAD
        index = batch.history.clamp(min=0)
        weight = real.to(table.dtype)
        vectors = functional.embedding(index, table)
        if profile is not None:
            # Eq. 4 with W1 [e_i; e_u] = W1a e_i + W1b e_u, each computed once per item, place and user.
            hidden = functional.embedding(index, self.gate_item(table)) + self.gate_user(profile)[:, None]
            if self.place is not None:
                hidden = hidden + self.gate_item(self.place)
            weight = weight * torch.sigmoid(self.gate_out(functional.relu(hidden)))[..., 0]
        if self.place is not None:
            vectors = vectors + self.place
        return route(vectors, self.capsule, weight, self.first_logits)
