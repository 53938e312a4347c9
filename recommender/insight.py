"""What a trained UiM makes of single users: the weights of their profile, the routing of their history, what each interest likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from recommender.data.histories import PAD
from recommender.evaluation import batches, evaluating
from recommender.models.base import ModelError
from recommender.models.uim import UiM

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from recommender.data.histories import Histories
    from recommender.models import Recommender


@dataclass(frozen=True)
class Insight:
    """One user as UiM serves it."""

    weights: NDArray[np.float32]
    """(K, F) x_k of Eq. 9, each from 0 to 1: how much each profile field matters to each interest (Fig. 5)."""
    history: NDArray[np.int64]
    """(L,) item numbers of what is read, oldest first."""
    attention: NDArray[np.float32]
    """(L,) a_t of Eq. 4, each from 0 to 1: how much of an item is read at all."""
    routing: NDArray[np.float32]
    """(L, K) c_tk of Eq. 6: which share of an item goes to which interest; sums to 1 over the interests (Fig. 6)."""
    interests: NDArray[np.float32]
    """(K, d) o_k of Eq. 11, whose inner product with an item vector is what the interest gives it."""

    def likes(self, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, K) what each interest gives item vectors (n, d); the score of an item is its row's largest (Eq. 1)."""
        found: NDArray[np.float32] = items @ self.interests.T
        return found


@torch.inference_mode()
def insights(
    model: Recommender, users: NDArray[np.int64], history: Histories, profile: Tensor
) -> list[Insight]:
    """Of `users` (B,), in order, as served with `history` and the labels `profile` (U, F).

    ModelError for a model that is no UiM, and for one without the profile.
    """
    if not isinstance(model, UiM):
        raise ModelError(f"{type(model).__name__} has no profile weights per interest; UiM has")
    found: list[Insight] = []
    with evaluating(model):
        for batch in batches(model, torch.from_numpy(users), history, profile):
            weights = model.field_weights(batch)
            attention, routing = model.routing(batch)
            tensors = (weights, batch.history, attention, routing, model.users(batch))
            for weight, items, read, shares, interests in zip(
                *(tensor.cpu().numpy() for tensor in tensors), strict=True
            ):
                real = items != PAD
                found.append(Insight(weight, items[real], read[real], shares[real], interests))
    return found
