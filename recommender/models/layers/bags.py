"""Sums of table rows over histories, without a (B, L, d) tensor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from recommender.data.histories import PAD


def history_sum(history: Tensor, table: Tensor) -> Tensor:
    """(B, d) the sum of `table` (I, d) over the items of each `history` (B, L), PAD left out; zeros where it is empty."""
    batch, length = history.shape
    # Offsets of our own: the two-dimensional form of embedding_bag refuses L = 0.
    return functional.embedding_bag(
        history.clamp(min=0).flatten(),
        table,
        torch.arange(batch, device=history.device) * length,
        mode="sum",
        per_sample_weights=(history != PAD).to(table.dtype).flatten(),
    )
