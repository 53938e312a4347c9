"""Full-ranking evaluation of a recommender, and the slates it proposes: one batched pass for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.data.dataset import DataError
from recommender.metrics import ranking_metrics
from recommender.models import Batch, ModelError, Recommender, scores
from recommender.ranking import Slate, top

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from recommender.data.dataset import Interactions
    from recommender.data.histories import Histories

_BATCH = 512


@torch.inference_mode()
def rank(
    model: Recommender,
    users: NDArray[np.int64],
    history: Histories,
    profile: Tensor,
    seen: Histories,
    k: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores and item numbers (len(users), k) of each user's best items.

    `history` is what the model reads, `profile` (U, F) the labels, `seen` what must not be proposed. Where fewer
    than k items are left the score is -inf. Raises ModelError where a score is not a number.
    """
    was_training = model.training
    model.eval()
    device = model.device
    history, seen, profile = history.to(device), seen.to(device), profile.to(device)
    table = model.items()
    values, index = [], []
    for chunk in torch.from_numpy(users).to(device).split(_BATCH):
        batch = Batch(chunk, history.latest(chunk, model.history_length), profile[chunk])
        value, item = top(scores(model.users(batch), table), k, seen.mask(chunk, len(table)))
        values.append(value.cpu())
        index.append(item.cpu())
    model.train(was_training)
    best = torch.cat(values)
    # Top-k puts not-a-number first, so none can hide further down.
    if best.isnan().any():
        raise ModelError(
            f"{type(model).__name__} gives scores that are not numbers; its training has diverged"
        )
    return best.numpy(), torch.cat(index).numpy()


def evaluate(
    model: Recommender,
    history: Histories,
    profile: Tensor,
    targets: Interactions,
    cutoffs: Sequence[int],
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """The users that have targets (B,), and each metric over the whole catalogue (B,), `history` masked.

    Raises DataError where nobody has a target.
    """
    if not len(targets):
        raise DataError("no user has a held-out interaction, so there is nothing to evaluate on")
    count = np.bincount(targets.user, minlength=len(history.start) - 1)
    users = np.flatnonzero(count)
    value, index = rank(model, users, history, profile, history, max(cutoffs))
    width = max(index.max(), targets.item.max()) + 1
    hits = np.isin(users[:, None] * width + index, targets.user.astype(np.int64) * width + targets.item)
    # Where the catalogue has run out there are only masked items left, which nobody is shown.
    return users, ranking_metrics(hits & (value > -np.inf), count[users], cutoffs)


def propose(
    model: Recommender,
    users: NDArray[np.int64],
    history: Histories,
    profile: Tensor,
    seen: Histories,
    k: int,
) -> list[Slate]:
    """Each user's slate of up to k items; shorter only where the catalogue runs out."""
    values, index = rank(model, users, history, profile, seen, k)
    slates = []
    for user, value, item in zip(users.tolist(), values, index, strict=True):
        left = value > -np.inf
        slates.append(Slate(user, tuple(item[left].tolist()), tuple(value[left].tolist())))
    return slates
