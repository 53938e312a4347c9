"""Sampling of items a user has not taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from recommender.data.histories import Histories

_REDRAWS = 8
"""A user who has half of the catalogue still gets a false negative less than once in 250 draws."""


class UniformNegatives(nn.Module):
    """Uniform over the catalogue, redrawn where the user has the item in train."""

    def __init__(self, train: Histories, items: int) -> None:
        super().__init__()
        self.items = items
        # Kept out of the state dict: it is train data, not a parameter.
        self.register_buffer("pairs", torch.sort(train.users() * items + train.item).values, persistent=False)
        self.pairs: Tensor

    def draw(self, user: Tensor, count: int) -> Tensor:
        """(B, count) item numbers for users (B,)."""
        drawn = torch.randint(self.items, (len(user), count), device=user.device)
        for _ in range(_REDRAWS):
            taken = self._taken(user, drawn)
            if not taken.any():
                break
            drawn = torch.where(taken, torch.randint_like(drawn, self.items), drawn)
        return drawn

    def _taken(self, user: Tensor, item: Tensor) -> Tensor:
        if not len(self.pairs):
            return torch.zeros_like(item, dtype=torch.bool)
        pair = user[:, None] * self.items + item
        place = torch.searchsorted(self.pairs, pair).clamp(max=len(self.pairs) - 1)
        return self.pairs[place] == pair
