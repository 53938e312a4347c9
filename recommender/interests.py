"""Whether the interests of a multi-interest model are several: they may collapse into one without the metrics showing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from recommender.models.base import ModelError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class InterestUse:
    """How different the K interests of users are, and how many of them do the work."""

    cosine: float
    """Mean cosine between two interests of a user: 1 where all are one. Not a number for K = 1."""
    entropy: float
    """Entropy, in nats, of which of the K wins, over all users and their best items: log K where each wins as often, 0
    where the same one always does and the others are idle."""
    effective: float
    """Effective K: mean over users of exp of the entropy of which interest wins among the user's own best items."""


def interest_collapse(users: Tensor, items: Tensor, best: int = 10) -> InterestUse:
    """Of user vectors (B, K, d) and item vectors (I, d), as a model exports them; an interest wins an item that it scores
    highest. The user's `best` items are ranked over the whole catalogue, seen ones included.

    Takes B x K x I numbers: give it a few hundred users. ModelError without users or items.
    """
    count, interests, _ = users.shape
    if not count or not len(items):
        raise ModelError("there are no users or no items to measure interests on")
    value, winner = (users @ items.T).max(dim=1)
    slate = value.topk(min(best, len(items)), dim=1).indices
    share = functional.one_hot(winner.gather(1, slate), interests).double().mean(1)
    unit = functional.normalize(users.double(), dim=-1)
    pairs = torch.triu_indices(interests, interests, offset=1, device=users.device)
    cosine = (unit @ unit.transpose(1, 2))[:, pairs[0], pairs[1]]
    return InterestUse(
        float(cosine.mean()), float(_entropy(share.mean(0))), float(_entropy(share).exp().mean())
    )


def _entropy(share: Tensor) -> Tensor:
    return -torch.xlogy(share, share).sum(-1)
