"""Top k of masked scores, with an order that does not depend on how top-k breaks ties."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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
    # One more than asked for shows whether the cut falls between equal scores.
    best, index = scores.topk(min(k + 1, width), dim=1)
    cut = best[:, k - 1] == best[:, -1] if width > k else torch.zeros_like(best[:, 0], dtype=torch.bool)
    # torch.topk returns ties in no fixed order and cuts them anywhere: order what it returned by item number,
    # then redo the rare rows in which the cut fell between equal scores.
    index, order = index[:, :k].sort(dim=1)
    values = best.gather(1, order)
    values, order = values.sort(dim=1, descending=True, stable=True)
    index = index.gather(1, order)
    if cut.any():
        full, where = scores[cut].sort(dim=1, descending=True, stable=True)
        values[cut], index[cut] = full[:, :k], where[:, :k]
    return values, index
