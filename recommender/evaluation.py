"""Evaluation of a recommender, over the whole catalogue or sampled candidates, and the slates it proposes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.data.dataset import DataError
from recommender.metrics import ranking_metrics
from recommender.models import Batch, ModelError, Recommender
from recommender.ranking import Slate, top

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from recommender.data.candidates import Candidates
    from recommender.data.dataset import Interactions
    from recommender.data.histories import Histories

_BATCH = 512


@dataclass(frozen=True)
class Ranking:
    """The best items of B users."""

    user: NDArray[np.int64]
    """(B,) in order."""
    item: NDArray[np.int64]
    """(B, N) item numbers, best first."""
    score: NDArray[np.float32]
    """(B, N); -inf where nothing is left to show."""

    @property
    def shown(self) -> NDArray[np.bool_]:
        """(B, N) False where the catalogue has run out: there are only masked items left, which nobody is shown."""
        return self.score > -np.inf

    def metrics(self, targets: Interactions, cutoffs: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        """HR, NDCG and recall at the cut-offs, and MRR, each (B,); every user has a target."""
        width = int(max(self.item.max(), targets.item.max())) + 1
        key = np.sort(targets.user.astype(np.int64) * width + targets.item)
        wanted = self.user[:, None] * width + self.item
        found = key[np.searchsorted(key, wanted).clip(max=len(key) - 1)] == wanted
        count = np.bincount(targets.user, minlength=int(self.user.max()) + 1)[self.user]
        return ranking_metrics(found & self.shown, count, cutoffs)


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
        # In place: on a CPU a mask over the catalogue and a masked copy take a fifth of an evaluation.
        scored[seen.entries(chunk)] = -torch.inf
        return top(scored, k)

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


def rank_targets(
    model: Recommender,
    history: Histories,
    profile: Tensor,
    targets: Interactions,
    k: int,
    candidates: Candidates | None = None,
) -> Ranking:
    """The k best items of each user that has targets: of the whole catalogue, `history` masked, or of `candidates`.

    Raises DataError where nobody has a target, and where the targets are not those of `candidates`.
    """
    if not len(targets):
        raise DataError("no user has a held-out interaction, so there is nothing to evaluate on")
    users = np.unique(targets.user).astype(np.int64)
    if candidates is None:
        value, index = rank(model, users, history, profile, history, k)
    else:
        candidates.require(targets)
        value, index = rank_candidates(model, candidates, history, profile, k)
    return Ranking(users, index, value)


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
    scored higher + the tied items with a smaller number. All cut-offs come from one ranking. Raises as `rank_targets`.
    """
    ranking = rank_targets(model, history, profile, targets, max(cutoffs), candidates)
    return ranking.user, ranking.metrics(targets, cutoffs)


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


@torch.inference_mode()
def user_vectors(model: Recommender, history: Histories, profile: Tensor) -> NDArray[np.float32]:
    """(U, K, d) vectors of all users, given what each has in `history` and their labels `profile` (U, F)."""
    users = torch.arange(len(history.start) - 1)
    with evaluating(model):
        parts = [model.users(batch).float().cpu() for batch in batches(model, users, history, profile)]
    return torch.cat(parts).numpy()


@torch.inference_mode()
def item_vectors(model: Recommender) -> NDArray[np.float32]:
    """(I, d) vectors of the catalogue."""
    with evaluating(model):
        return model.items().float().cpu().numpy()


def _ranked(
    model: Recommender,
    users: NDArray[np.int64],
    history: Histories,
    profile: Tensor,
    best: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What `best` makes of users (B,) and their scores (B, I): values and item numbers, of all batches together."""
    everyone = torch.from_numpy(users)
    # Users with histories of like length share a batch, so that whole histories bring little padding.
    order = history.sizes().cpu()[everyone].argsort(stable=True)
    values, index = [], []
    with evaluating(model):
        table = model.catalogue()
        for batch in batches(model, everyone[order], history, profile):
            value, item = best(batch.user, model.score(batch, table))
            values.append(value.float().cpu())
            index.append(item.cpu())
    back = order.argsort()
    first = torch.cat(values)[back]
    # Top-k puts not-a-number first, so none can hide further down.
    if first.isnan().any():
        raise ModelError(
            f"{type(model).__name__} gives scores that are not numbers; its training has diverged"
        )
    return first.numpy(), torch.cat(index)[back].numpy()


@contextmanager
def evaluating(model: Recommender) -> Iterator[None]:
    """The model as it serves, inside the block."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def batches(model: Recommender, users: Tensor, history: Histories, profile: Tensor) -> Iterator[Batch]:
    """The users (B,) at their latest, a few at a time."""
    device = model.device
    history, profile = history.to(device), profile.to(device)
    for chunk in users.to(device).split(_BATCH):
        yield Batch(chunk, history.latest(chunk, model.history_length), profile[chunk])
