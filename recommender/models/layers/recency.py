"""The history's items weighed by their place, beside what routing makes of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Recency(nn.Module):
    """r_k = W sum_t w_kt e_t with learnt weights of places w (K, L) and one map W (d, d).

    Squashed capsules and an MLP wash out which item came last, though that item says most about the next one. W starts as
    the identity, so that training starts from "more like the last", and w_k as a decay that differs from interest to
    interest, from long memory to the last item alone. A user without history gets zeros.
    """

    _RATES = 0.2, 1.5
    """Decay per place, in nats, of the first interest and of the last."""

    def __init__(self, length: int, interests: int, d: int) -> None:
        super().__init__()
        slow, fast = self._RATES
        rate = torch.linspace(slow, fast, interests) if interests > 1 else torch.tensor([(slow + fast) / 2])
        age = torch.arange(length - 1, -1, -1)
        self.weight = nn.Parameter(torch.exp(-rate[:, None] * age))
        self.map = nn.Linear(d, d, bias=False)
        nn.init.eye_(self.map.weight)

    def forward(self, vectors: Tensor, real: Tensor) -> Tensor:
        """(B, K, d) of history vectors (B, L, d), newest last, and their mask (B, L)."""
        recent: Tensor = self.map((self.weight * real[:, None]) @ vectors)
        return recent
