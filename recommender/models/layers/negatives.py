"""Sampling of negatives: items a user has not taken, or any items by their popularity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from recommender.models.base import ModelError

if TYPE_CHECKING:
    from recommender.data.histories import Histories


class UniformNegatives(nn.Module):
    """Uniform over the items that a user does not have in train; over all items for a user who has every one.

    Exact and without redrawing: the r-th free item is r plus the number of taken items before it, which one binary
    search finds, since a user's j-th taken item t_j has t_j - j free items before it.
    """

    def __init__(self, train: Histories, items: int) -> None:
        super().__init__()
        self.items = items
        pairs = torch.unique(train.users() * items + train.item)
        user = pairs // items
        size = torch.bincount(user, minlength=len(train.start) - 1)
        start = torch.cumsum(size, 0) - size
        place = torch.arange(len(user), device=user.device) - start[user]
        # 32 bits where they do: more of the list that is searched fits a cache.
        width = torch.int32 if len(size) * items < 2**31 else torch.int64
        # Kept out of the state dict: they are train data, not parameters.
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("free", items - size, persistent=False)
        self.register_buffer("free_before", (pairs - place).to(width), persistent=False)
        self.start: Tensor
        self.free: Tensor
        self.free_before: Tensor

    def draw(self, user: Tensor, count: int) -> Tensor:
        """(B, count) item numbers for users (B,)."""
        free = self.free[user][:, None]
        available = torch.where(free > 0, free, self.items)
        # 62 random bits: the remainder favours no item by more than one part in 2^40 of any catalogue.
        rank = torch.randint(2**62, (len(user), count), device=user.device) % available
        sought = (user[:, None] * self.items + rank).to(self.free_before.dtype)
        before = torch.searchsorted(self.free_before, sought, right=True)
        return torch.where(free > 0, rank + before - self.start[user][:, None], rank)


class PopularityNegatives(nn.Module):
    """Items with probability q_i proportional to (1 + train count of i) ** exponent: 0 is uniform, 1 by popularity.

    One is added so that every item can be drawn: an estimate weighed by 1 / q would else miss some for good.
    """

    def __init__(self, train: Histories, items: int, exponent: float = 0.0) -> None:
        super().__init__()
        if not 0 <= exponent < float("inf"):
            raise ModelError(f"recommender.params.popularity: {exponent!r} is not a number of at least 0")
        weight = (torch.bincount(train.item, minlength=items) + 1.0).double() ** exponent
        share = weight / weight.sum()
        # Kept out of the state dict: they are train data, not parameters.
        self.register_buffer("cumulative", share.cumsum(0), persistent=False)
        self.register_buffer("log_q", share.log().float(), persistent=False)
        self.cumulative: Tensor
        self.log_q: Tensor
        """(I,) log probabilities."""

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """Item numbers of any shape, drawn with replacement."""
        uniform = torch.rand(shape, dtype=torch.float64, device=self.cumulative.device)
        # Rounding may leave the last sum a little below one.
        return torch.searchsorted(self.cumulative, uniform, right=True).clamp(max=len(self.cumulative) - 1)
