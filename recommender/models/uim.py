"""UiM: user-insight multi-modal recommendation (the paper's section III): profile, interests and multi-modal items.

Readings where the paper is silent or contradicts itself: routing logits are replaced, not added (Eq. 7);
the interest enters Eq. 11 as [e_u^k; s_k], since the printed form would drop it; p of Eq. 12 is a softmax of
max_k o_k . e_t over the positive and the negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models.base import Batch, Inputs, ModelError, Recommender, scores
from recommender.models.layers.mcln_items import ItemConfig, MclnItems
from recommender.models.layers.routing import route


@dataclass(frozen=True)
class UiMConfig(ItemConfig):
    """Options of UiM."""

    graph: bool = False
    attention: bool = False
    interests: int = 3
    """K, the number of capsules (the paper's Fig. 3 finds 3 best on MovieLens)."""
    multi_interest: bool = True
    """Off: K = 1; without the profile too, the model is exactly MCLN (the first row of the paper's Table III)."""
    history: int = 30
    """L, newest items of the history that are read (the paper's Fig. 4)."""
    profile: bool = True
    """Off: a_t = 1 and o_k = MLP(s_k), the paper's Table III without Profile."""
    profile_dim: int = 16
    """Width of each profile field's embedding."""
    position: bool = True
    """Add an embedding of the place in the history (1 = newest) to each item vector before the gate and the routing.
    The paper's Eq. 4-8 treat the history as a set; off is faithful to them."""
    recency: bool = False
    encoder: int = 0
    heads: int = 2
    dropout: float = 0.0
    cosine: bool = False
    item_bias: bool = False
    label_aware: bool = False
    tied: bool = True
    norm: bool = False
    fuse_residual: bool = False
    uniform: int = 0
    temperature: float = 1.0
    """tau of the softmax."""


class UiM(Recommender):
    """K interests per user, routed from the history and regulated by the profile."""

    Config = UiMConfig
    reads_text = True
    reads_visual = True

    def __init__(self, config: UiMConfig, inputs: Inputs) -> None:
        super().__init__()
        self.config = config
        self.history_length = config.history
        d = config.dim
        k = config.interests if config.multi_interest else 1
        self.tower = MclnItems(config, inputs)
        self.capsule = nn.Parameter(torch.empty(k, d, d))
        nn.init.xavier_uniform_(self.capsule)
        first = torch.randn(config.history, k, generator=torch.Generator().manual_seed(0))
        self.register_buffer("first_logits", first)
        self.first_logits: Tensor
        self.place = nn.Parameter(torch.zeros(config.history, d)) if config.position else None
        if config.encoder:
            self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, config.heads, d, config.dropout, batch_first=True, norm_first=True), config.encoder, enable_nested_tensor=False)
        if config.recency:
            far = torch.arange(config.history - 1, -1, -1.0)
            rate = torch.linspace(0.2, 1.5, k) if k > 1 else torch.tensor([0.7])
            self.recent = nn.Parameter(torch.exp(-far * rate[:, None]))
            self.carry = nn.Linear(d, d, bias=False)
            with torch.no_grad():
                self.carry.weight.copy_(torch.eye(d))
        self.drop = nn.Dropout(config.dropout)
        if config.norm:
            self.norm = nn.LayerNorm(d)
        if config.item_bias:
            self.bias = nn.Parameter(torch.zeros(inputs.items))
        if not config.tied:
            self.read = nn.Embedding(inputs.items, d)
            nn.init.normal_(self.read.weight, std=d**-0.5)
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
        table = self.tower.table()
        if self.config.cosine:
            table = functional.normalize(table, dim=-1)
        if self.config.item_bias:
            table = torch.cat([table, self.bias[:, None]], dim=1)
        return table

    def _input(self, table):
        table = self.tower.table() if table is None else table
        return table if self.config.tied else table - self.tower.item.weight + self.read.weight

    def users(self, batch: Batch) -> Tensor:
        return self._interests(batch, self.tower.table())

    def loss(self, batch: Batch) -> Tensor:
        assert batch.target is not None
        raw = self.tower.table()
        table = raw
        users = self._interests(batch, raw)
        if self.config.cosine:
            table = functional.normalize(table, dim=-1)
        if self.config.item_bias:
            table = torch.cat([table, self.bias[:, None]], dim=1)
        target = batch.target
        hide = None
        if self.config.uniform:
            drawn = torch.randperm(len(table))[: self.config.uniform]
            rows = torch.cat([target, drawn])  # noqa
            sub = table[drawn]
            pos = table[target]
            if self.config.label_aware:
                best = torch.einsum("bkd,bd->bk", users, pos).argmax(1)
                users = users[torch.arange(len(users)), best][:, None]
            logits = scores(users, sub)
            logits = logits.masked_fill(drawn == target[:, None], -torch.inf)
            logits = torch.cat([torch.einsum("bkd,bd->bk", users, pos).max(1).values[:, None], logits], 1) / self.config.temperature
            return functional.cross_entropy(logits, torch.zeros_like(target))
        if self.config.label_aware:
            best = torch.einsum("bkd,bd->bk", users, table[target]).argmax(1)
            users = users[torch.arange(len(users)), best][:, None]
        logits = scores(users, table) / self.config.temperature
        return functional.cross_entropy(logits, target)

    def _fields(self, batch: Batch) -> Tensor:
        """(B, F, profile_dim) e_u^n."""
        return torch.stack([field(batch.profile[:, n]) for n, field in enumerate(self.fields)], dim=1)

    def _interests(self, batch: Batch, table: Tensor) -> Tensor:
        table = self._input(table)
        fields = self._fields(batch) if self.fields else None
        profile = fields.flatten(1) if fields is not None else None
        capsules, vectors, weight = self._capsules(batch, table, profile)
        x = capsules
        if fields is not None:
            weighted = self._weights(capsules, profile)[..., None] * fields[:, None]
            x = torch.cat([weighted.flatten(2), capsules], dim=-1)
        o = self.drop(self.fuse(x))
        if self.config.fuse_residual:
            o = o + capsules
        if self.config.recency:
            pooled = (self.recent * (batch.history != PAD).float()[:, None]) @ vectors
            o = o + self.carry(pooled)
        if self.config.norm:
            o = self.norm(o)
        if self.config.cosine:
            o = functional.normalize(o, dim=-1)
        if self.config.item_bias:
            o = torch.cat([o, torch.ones_like(o[..., :1])], dim=-1)
        return o

    def _weights(self, capsules: Tensor, profile: Tensor) -> Tensor:
        expanded = profile[:, None].expand(-1, capsules.shape[1], -1)
        return torch.sigmoid(self.weigh(torch.cat([capsules, expanded], dim=-1)))

    def _capsules(self, batch: Batch, table: Tensor, profile: Tensor | None):
        """(B, K, d) s_k."""
        real = batch.history != PAD
        index = batch.history.clamp(min=0)
        weight = real.to(table.dtype)
        raw = vectors = self.drop(functional.embedding(index, table))
        if profile is not None:
            # Eq. 4 with W1 [e_i; e_u] = W1a e_i + W1b e_u, each computed once per item, place and user.
            hidden = functional.embedding(index, self.gate_item(table)) + self.gate_user(profile)[:, None]
            if self.place is not None:
                hidden = hidden + self.gate_item(self.place)
            weight = weight * torch.sigmoid(self.gate_out(functional.relu(hidden)))[..., 0]
        if self.place is not None:
            vectors = vectors + self.place
        if self.config.encoder:
            mask = ~real
            mask = mask & ~mask.all(1, keepdim=True)
            vectors = self.encoder(vectors, src_key_padding_mask=mask)
        return route(vectors, self.capsule, weight, self.first_logits), raw, weight
