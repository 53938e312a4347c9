"""Per-user sequences as CSR tensors, so that a batch of histories is one gather."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from recommender.data.dataset import Interactions

PAD = -1
"""Stands where a history is shorter than the window."""


@dataclass(frozen=True)
class Histories:
    """Items of U users, oldest first: user u's are `item[start[u]:start[u + 1]]`."""

    start: Tensor
    """(U + 1,) int64."""
    item: Tensor
    """(n,) int64."""

    @classmethod
    def of(cls, inter: Interactions, users: int) -> Histories:
        """Build from interactions of users 0 to `users` - 1, sorted by user, then time; ValueError if they are not."""
        inter.require_by_user()
        size = np.bincount(inter.user, minlength=users)
        if len(size) > users:
            raise ValueError(f"interactions name user {len(size) - 1}, but there are {users} users")
        start = np.concatenate([[0], np.cumsum(size)])
        return cls(torch.from_numpy(start), torch.from_numpy(inter.item.astype(np.int64)))

    def to(self, device: torch.device) -> Histories:
        """The same histories on another device."""
        return Histories(self.start.to(device), self.item.to(device))

    def sizes(self) -> Tensor:
        """(U,) number of items of each user."""
        return self.start[1:] - self.start[:-1]

    def users(self) -> Tensor:
        """(n,) the user of each entry."""
        return torch.repeat_interleave(
            torch.arange(len(self.start) - 1, device=self.start.device), self.sizes()
        )

    def before(self, user: Tensor, position: Tensor, length: int | None) -> Tensor:
        """(B, length) the items just before `position` (B,) of `user` (B,), newest last, PAD in front.

        `length` None is as long as the longest of them.
        """
        if length is None:
            length = int(position.max()) if len(position) else 0
        if not len(self.item):
            return torch.full((len(user), length), PAD, device=self.start.device)
        offset = torch.arange(length, device=self.start.device) - length
        place = position[:, None] + offset
        index = self.start[user][:, None] + place.clamp(min=0)
        return torch.where(place >= 0, self.item[index.clamp(max=len(self.item) - 1)], PAD)

    def latest(self, user: Tensor, length: int | None) -> Tensor:
        """(B, length) the newest items of `user` (B,), newest last, PAD in front; `length` None is all of them."""
        return self.before(user, self.sizes()[user], length)

    def entries(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Row in `user` (B,) and item number of all that these users have, both (sum of their sizes,)."""
        size = self.sizes()[user]
        row = torch.repeat_interleave(torch.arange(len(user), device=self.start.device), size)
        first = torch.cumsum(size, 0) - size
        within = torch.arange(len(row), device=self.start.device) - first[row]
        return row, self.item[self.start[user][row] + within]

    def mask(self, user: Tensor, items: int) -> Tensor:
        """(B, items) True where the user has the item."""
        mask = torch.zeros(len(user), items, dtype=torch.bool, device=self.start.device)
        mask[self.entries(user)] = True
        return mask
