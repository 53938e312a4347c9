"""Policies to begin with and to compare with: one that takes any item, and one that a trained recommender is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from recommender.models import Batch
from recommender.pipeline import build_recommender, train_recommender
from recommender.ranking import top

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.models import Recommender
    from simulator.environment.screening import Screening
    from simulator.environment.spaces import Observation


class Policy(Protocol):
    """From what is observed of B users, as a vector environment gives it, to slates (B, size)."""

    def __call__(self, observation: Observation) -> NDArray[np.int64]:
        """Item numbers, best first."""
        ...


class RandomPolicy:
    """Any `size` items that may be shown, none twice."""

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._draw = size, np.random.default_rng(seed)

    def __call__(self, observation: Observation) -> NDArray[np.int64]:
        """Slates (B, size); where too few items are left others fill the places, to be repaired."""
        mask = observation["action_mask"]
        # What may not be shown comes last.
        keys = self._draw.random(mask.shape) + (mask == 0)
        order: NDArray[np.int64] = keys.argsort(axis=1)[:, : self._size].astype(np.int64)
        return order


class RecommenderPolicy:
    """The `size` best items of a recommender that may be shown: what it would propose in a run.

    It is the same as long as the observed history is as long as what the model reads.
    """

    def __init__(self, model: Recommender, size: int) -> None:
        self._model, self._size = model.eval(), size

    @classmethod
    def trained(cls, screening: Screening, size: int) -> RecommenderPolicy:
        """That of the scenario, trained now as a run trains it: without newcomers, and before anybody is asked."""
        built = build_recommender(screening.scenario, screening.to_train)
        train_recommender(screening.scenario, screening.to_train, built)
        return cls(built.model, size)

    @torch.inference_mode()
    def __call__(self, observation: Observation) -> NDArray[np.int64]:
        """Slates (B, size); ValueError where the model reads more of a history than is observed."""
        model, history = self._model, observation["history"]
        length = history.shape[1] if model.history_length is None else model.history_length
        if length > history.shape[1]:
            raise ValueError(
                f"{type(model).__name__} reads {length} items of a history, and {history.shape[1]} are observed; make the "
                f"environment with history_length={length}"
            )
        batch = Batch(
            *(
                torch.from_numpy(np.asarray(values)).to(model.device)
                for values in (
                    observation["user"],
                    history[:, history.shape[1] - length :],
                    observation["profile"],
                )
            )
        )
        scores = model.score(batch, model.catalogue())
        masked = torch.from_numpy(observation["action_mask"] == 0).to(model.device)
        found: NDArray[np.int64] = top(scores.masked_fill(masked, -torch.inf), self._size)[1].cpu().numpy()
        return found
