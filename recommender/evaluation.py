"""Evaluation of a recommender, over the whole catalogue or sampled candidates, and the slates it proposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.data.dataset import DataError
from recommender.metrics import ranking_metrics
from recommender.models import Batch, ModelError, Recommender
from recommender.ranking import Slate, top

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from recommender.data.candidates import Candidates
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
    seen = seen.to(model.device)

    def best(chunk: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
        return top(scored, k, seen.mask(chunk, scored.shape[1]))

    return _ranked(model, users, history, profile, best)


@torch.inference_mode()
def rank_candidates(
    model: Recommender,
    candidates: Candidates,
    history: Histories,
    profile: Tensor,
    k: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """As `rank`, of the users and among the items of `candidates` alone; nothing else is masked."""
    user = torch.from_numpy(candidates.user).to(model.device)
    # By item number, as equal scores are ordered by their place.
    item = torch.from_numpy(np.sort(candidates.item, axis=1)).to(model.device)

    def best(chunk: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
        among = item[torch.searchsorted(user, chunk)]
        value, place = top(scored.gather(1, among), k)
        return value, among.gather(1, place)

    return _ranked(model, candidates.user, history, profile, best)


def evaluate(
    model: Recommender,
    history: Histories,
    profile: Tensor,
    targets: Interactions,
    cutoffs: Sequence[int],
    candidates: Candidates | None = None,
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """The users that have targets (B,), and each metric (B,): over the whole catalogue, `history` masked.

    With `candidates` the ranking is among each user's own few items instead. The rank of a target is 1 + the items
    scored higher + the tied items with a smaller number. Raises DataError where nobody has a target, and where the
    targets are not those of `candidates`.
    """
    if not len(targets):
        raise DataError("no user has a held-out interaction, so there is nothing to evaluate on")
    count = np.bincount(targets.user, minlength=len(history.start) - 1)
    users = np.flatnonzero(count)
    if candidates is None:
        value, index = rank(model, users, history, profile, history, max(cutoffs))
    else:
        candidates.require(targets)
        value, index = rank_candidates(model, candidates, history, profile, max(cutoffs))
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


def _ranked(
    model: Recommender,
    users: NDArray[np.int64],
    history: Histories,
    profile: Tensor,
    best: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What `best` makes of users (B,) and their scores (B, I): values and item numbers, of all batches together."""
    was_training = model.training
    model.eval()
    device = model.device
    history, profile = history.to(device), profile.to(device)
    table = model.catalogue()
    everyone = torch.from_numpy(users).to(device)
    # Users with histories of like length share a batch, so that whole histories bring little padding.
    order = history.sizes()[everyone].argsort(stable=True)
    values, index = [], []
    for chunk in everyone[order].split(_BATCH):
        batch = Batch(chunk, history.latest(chunk, model.history_length), profile[chunk])
        value, item = best(chunk, model.score(batch, table))
        values.append(value.cpu())
        index.append(item.cpu())
    model.train(was_training)
    back = order.argsort().cpu()
    first = torch.cat(values)[back]
    # Top-k puts not-a-number first, so none can hide further down.
    if first.isnan().any():
        raise ModelError(
            f"{type(model).__name__} gives scores that are not numbers; its training has diverged"
        )
    return first.numpy(), torch.cat(index)[back].numpy()
