"""Histories cut short at serving: the cold start of the paper's Table V."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.data.splitting import concatenate, latest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from recommender.data.dataset import Interactions
    from recommender.data.splitting import Split
    from recommender.features.profile import ProfileLabels


def truncated(history: Interactions, length: int | None) -> Interactions:
    """The newest `length` interactions of each user; all of them for None."""
    return history if length is None else latest(history, length)


def history_profile(labels: ProfileLabels, split: Split, history: Interactions, length: int | None) -> Tensor:
    """(U, F) labels of users with a history of this length: of train for whole histories, else of what is left."""
    return labels.labels(split.train if length is None else truncated(history, length))


@dataclass(frozen=True)
class Known:
    """What is known of users at serving: histories cut to `length`, and those of newcomers to `newcomer_length` at most."""

    split: Split
    labels: ProfileLabels
    length: int | None
    newcomers: NDArray[np.int64]
    """Rows in the users' table; may be none."""
    newcomer_length: int

    def history(self, whole: Interactions) -> Interactions:
        """What is left of `whole`."""
        cut = truncated(whole, self.length)
        if not len(self.newcomers):
            return cut
        new = np.isin(cut.user, self.newcomers)
        return concatenate(cut.take(~new), latest(cut.take(new), self.newcomer_length))

    def profile(self, whole: Interactions) -> Tensor:
        """(U, F) labels by `history_profile`; of newcomers by the little that is known of them."""
        labels = history_profile(self.labels, self.split, whole, self.length)
        if not len(self.newcomers):
            return labels
        mixed, rows = labels.clone(), torch.from_numpy(self.newcomers)
        mixed[rows] = self.labels.labels(self.history(whole))[rows]
        return mixed


def known_for(split: Split, longest: int) -> NDArray[np.int64]:
    """Rows of the users that every truncation up to `longest` can be tried on, increasing.

    They have at least so many train interactions, and something held out at validation and at test.
    """
    count = len(split.dataset.users)
    return np.flatnonzero(
        (np.bincount(split.train.user, minlength=count) >= longest)
        & (np.bincount(split.validation.user, minlength=count) > 0)
        & (np.bincount(split.test.user, minlength=count) > 0)
    )
