"""SASRec: causal self-attention over the last items, Kang and McAuley (2018), arXiv:1808.09781.

Readings: the loss is the softmax over the catalogue instead of the paper's binary cross-entropy with one negative, which is
what made SASRec look weak (Petrov and Macdonald 2023, arXiv:2308.07192; Klenitskiy and Vasilev 2023, arXiv:2309.07602);
LayerNorm stands before each part (the paper's g(x) = x + Dropout(g(LayerNorm(x)))) and once more before the output; keys and
queries have no bias; places are counted from the newest; one table of items is read and scored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models.base import Batch, Inputs, ModelError, Recommender
from recommender.models.layers.distributed import mean_across
from recommender.models.layers.softmax import CatalogueSoftmax, Negatives

_SPREAD = 0.02
"""Of the first items and places: small beside what steps of Adam move them. On Amazon Beauty d^-1/2 needs twice the epochs."""


@dataclass(frozen=True)
class SASRecConfig:
    """Options of SASRec."""

    dim: int = 64
    """d: width of items and of every layer."""
    history: int = 50
    """L, newest items of the history that are read."""
    blocks: int = 2
    """Layers of attention and feed-forward."""
    heads: int = 1
    """Heads of each attention; they divide `dim`."""
    dropout: float = 0.2
    """Of the embedded history, of attention weights and of what each part adds."""
    negatives: Negatives = field(default="full", metadata={"types": (str, int)})
    """"full", a number of negatives that all places of a batch share, or "in_batch", every place against every other: quadratic
    in the places of a batch. The last two are weighed by logQ."""
    popularity: float = 0.0
    """Exponent of the train count with which negatives are drawn; 0 is uniform."""
    temperature: float = 1.0
    """tau of the softmax."""


class SASRec(Recommender):
    """score = o . e_i, o the network's output at the newest place; a user without history scores every item zero."""

    Config = SASRecConfig
    learns_sequences = True

    def __init__(self, config: SASRecConfig, inputs: Inputs) -> None:
        super().__init__()
        if min(config.dim, config.history, config.blocks, config.heads) < 1 or config.dim % config.heads:
            raise ModelError(
                "recommender.params: SASRec needs dim, history, blocks and heads of at least 1, dim a multiple of heads"
            )
        if not 0 <= config.dropout < 1:
            raise ModelError("recommender.params: SASRec needs 0 <= dropout < 1")
        self.config = config
        self.history_length = config.history
        d = config.dim
        self.item = nn.Embedding(inputs.items, d)
        self.place = nn.Parameter(torch.empty(config.history, d))
        nn.init.normal_(self.item.weight, std=_SPREAD)
        nn.init.normal_(self.place, std=_SPREAD)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_Block(d, config.heads, config.dropout) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(d)
        self.softmax = CatalogueSoftmax(
            inputs.train,
            inputs.items,
            config.negatives,
            temperature=config.temperature,
            popularity=config.popularity,
            shared=True,
        )

    def loss(self, batch: Batch) -> Tensor:
        """Mean -log softmax over the real places of `following`; of `target` alone in a batch without it."""
        if batch.following is None:
            assert batch.target is not None
            outputs, following = self._outputs(batch.history, newest=True), batch.target[:, None]
        else:
            outputs, following = self._outputs(batch.history), batch.following
        # Only real places are scored: nothing of size B x L x I is made.
        real = following != PAD
        user = batch.user[:, None].expand_as(following)
        loss: Tensor = self.softmax(outputs[real][:, None], self.items(), following[real], user[real])
        return mean_across(loss, real.sum(), len(real))

    def users(self, batch: Batch) -> Tensor:
        """(B, 1, d)."""
        return self._outputs(batch.history, newest=True)

    def items(self) -> Tensor:
        """(I, d)."""
        return self.item.weight

    def _outputs(self, history: Tensor, *, newest: bool = False) -> Tensor:
        """(B, L, d) outputs at every place, zero at padding; with `newest` (B, 1, d), of the last place alone."""
        length = history.shape[1]
        real = history != PAD
        hidden = self.item(history.clamp(min=0)) * self.config.dim**0.5 + self.place[-length:]
        hidden = self.dropout(hidden)
        causal = torch.ones(length, length, dtype=torch.bool, device=history.device).tril()
        # Every place sees itself, padding too: a softmax over nothing would be no number.
        itself = torch.eye(length, dtype=torch.bool, device=history.device)
        allowed = (causal & real[:, None] | itself)[:, None]
        for block in self.blocks[:-1]:
            hidden = block(hidden, hidden, allowed)
        wanted = -1 if newest else -length
        hidden = self.blocks[-1](hidden[:, wanted:], hidden, allowed[:, :, wanted:])
        outputs: Tensor = self.norm(hidden) * real[:, wanted:, None]
        return outputs


class _Block(nn.Module):
    """Attention of some places to all, then the same two-layer network at each place."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, dropout
        self.before_attention, self.before_network = nn.LayerNorm(dim), nn.LayerNorm(dim)
        # A bias of the keys would cancel in the softmax.
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_and_value = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.network = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim), nn.Dropout(dropout)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, wanted: Tensor, hidden: Tensor, allowed: Tensor) -> Tensor:
        """(B, Q, d) for the places `wanted` (B, Q, d) among `hidden` (B, L, d); `allowed` (B, 1, Q, L) bool."""
        key, value = self.key_and_value(self.before_attention(hidden)).chunk(2, dim=-1)
        attended = functional.scaled_dot_product_attention(
            self._split(self.query(self.before_attention(wanted))),
            self._split(key),
            self._split(value),
            attn_mask=allowed,
            dropout_p=self.drop if self.training else 0.0,
        )
        wanted = wanted + self.dropout(self.out(attended.transpose(1, 2).flatten(2)))
        result: Tensor = wanted + self.network(self.before_network(wanted))
        return result

    def _split(self, x: Tensor) -> Tensor:
        parts: Tensor = x.unflatten(-1, (self.heads, -1))
        return parts.transpose(1, 2)
