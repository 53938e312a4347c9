"""Top k of masked scores, with an order that does not depend on how top-k breaks ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_PARTITIONED = 2**15
"""Items up to which rows are partitioned: beyond, memory bounds both ways and torch.topk is the faster (measured at 10^5)."""


@dataclass(frozen=True)
class Slate:
    """What is proposed to one user: item numbers, best first, and their scores."""

    user: int
    items: tuple[int, ...]
    scores: tuple[float, ...]


def top(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k >= 1 best of each row of `scores` (B, I): values and item numbers, both (B, min(k, I)).

    Equal scores are ordered by item number. An item that is masked has the score -inf, so a row with fewer than k items
    left ends in that value.
    """
    width = scores.shape[1]
    k = min(k, width)
    partitions = scores.device.type == "cpu" and scores.dtype == torch.float32 and width <= _PARTITIONED
    index, redone = (_partitioned if partitions else _chosen)(scores, k)
    # In order of item number here, so that a stable sort leaves equal scores in it.
    values, order = scores.gather(1, index).sort(dim=1, descending=True, stable=True)
    index = index.gather(1, order)
    if redone.any():
        full, where = scores[redone].sort(dim=1, descending=True, stable=True)
        values[redone], index[redone] = full[:, :k], where[:, :k]
    return values, index


def _partitioned(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Item numbers (B, k) of the best, ascending, and which rows (B,) have to be sorted whole.

    By NumPy's partition, which is vectorised: on a CPU torch.topk takes three times as long.
    """
    table = scores.detach().numpy()
    height, width = table.shape
    best = np.partition(table, width - k, axis=1)[:, width - k :]
    row, item = np.divmod(np.flatnonzero(table >= best[:, :1]), width)
    # More than k where the cut falls between equal scores. A score that is not a number is among the best, but no comparison
    # finds it, and equal scores at the cut may stand in for it.
    redone = (np.bincount(row, minlength=height) != k) | np.isnan(best).any(axis=1)
    index = np.zeros((height, k), dtype=np.int64)
    index[~redone] = item[~redone[row]].reshape(-1, k)
    return torch.from_numpy(index), torch.from_numpy(redone)


def _chosen(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """As `_partitioned`, by torch.topk, which returns ties in no fixed order and cuts them anywhere."""
    # One more than asked for shows whether the cut falls between equal scores.
    best, index = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    redone = (
        best[:, k - 1] == best[:, -1]
        if scores.shape[1] > k
        else torch.zeros_like(best[:, 0], dtype=torch.bool)
    )
    return index[:, :k].sort(dim=1).values, redone
