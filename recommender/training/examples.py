"""Examples of training, made on the device a batch at a time from the histories alone."""

from __future__ import annotations

import torch
from torch import Tensor

from recommender.data.histories import PAD, Histories
from recommender.models import Batch, ModelError, Recommender


class Examples:
    """Targets of all users with the history strictly before them, numbered user by user.

    An example is one target. For a model that learns sequences it is a stretch: `length` targets that follow each other,
    the user's newest stretch full, the oldest as short as it comes, so that every target is in exactly one. A model that
    reads no history takes first items as targets too.

    Nothing is kept for an example: its user is one binary search away, so memory grows with users only.
    """

    def __init__(self, model: Recommender, history: Histories, profile: Tensor) -> None:
        """`history` is train, `profile` (U, F) its labels, both on the model's device."""
        self._history, self._profile = history, profile
        self._length, self._stretches = model.training_length, model.learns_sequences
        if self._stretches and self._length < 1:
            raise ModelError(
                f"{type(model).__name__} learns sequences, so it needs a history of at least one item"
            )
        self._size = history.sizes()
        self._skipped = 1 if self._length else 0
        count = (self._size - self._skipped).clamp(min=0)
        if self._stretches:
            count = (count + self._length - 1) // self._length
        self._end = torch.cumsum(count, 0)
        self._first = self._end - count
        self._len = int(count.sum())

    def __len__(self) -> int:
        return self._len

    def batch(self, rows: Tensor) -> Batch:
        """The examples `rows` (B,)."""
        user = torch.searchsorted(self._end, rows, right=True)
        place = rows - self._first[user]
        if self._stretches:
            return self._stretch(user, self._size[user] - 1 - place * self._length)
        position = place + self._skipped
        target = self._history.item[self._history.start[user] + position]
        return Batch(user, self._history.before(user, position, self._length), self._profile[user], target)

    def _stretch(self, user: Tensor, last: Tensor) -> Batch:
        """The stretches whose newest target stands at `last` (B,)."""
        before = self._history.before(user, last, self._length)
        # A user's first item has nothing before it: history, not a target.
        following = self._history.before(user, last + 1, self._length).masked_fill(before == PAD, PAD)
        return Batch(user, before, self._profile[user], following[:, -1], following)
