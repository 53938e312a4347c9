"""EASE: embarrassingly shallow autoencoder, Steck (2019), arXiv:1905.03375."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from recommender.models.base import Batch, Inputs, ModelError
from recommender.models.item_to_item import ItemToItem, interaction_matrix
from recommender.models.layers.bags import history_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.data.histories import Histories

_COLUMNS = 1024
"""Columns of the item co-occurrences made at once; the sparse ones of all items can be larger than the dense."""


@dataclass(frozen=True)
class EASEConfig:
    """Options of EASE."""

    regularisation: float = 500.0
    """lambda of Eq. 4, the weight of the squared norm of B. Few interactions an item want less (20 on Amazon Beauty)."""
    recent: int | None = None
    """How many of the newest items of the history are scored from; None = all, as published."""


@dataclass(frozen=True)
class EASERecentConfig(EASEConfig):
    """Options of EASE on the last interactions."""

    recent: int = 5
    """How many of the newest items of the history are scored from."""


class EASE(ItemToItem):
    """score = x B over the history x, where B = argmin |X - X B|^2 + lambda |B|^2 with a zero diagonal.

    The closed form: P = (X^T X + lambda I)^-1, B_ij = -P_ij / P_jj (Eq. 8), in float64, kept as float32.
    Memory: 12 I^2 bytes while it is built, 4 I^2 afterwards.
    """

    Config: ClassVar[type[EASEConfig]] = EASEConfig

    def __init__(self, config: EASEConfig, inputs: Inputs) -> None:
        super().__init__(inputs, config.recent)
        if not config.regularisation > 0:
            raise ModelError("recommender.params: EASE needs regularisation > 0")
        self.config = config
        self.register_buffer(
            "weights", torch.from_numpy(_weights(inputs.train, inputs.items, config.regularisation))
        )
        self.weights: Tensor

    def catalogue(self) -> Tensor:
        """(I, I) B."""
        return self.weights

    def score(self, batch: Batch, catalogue: Tensor) -> Tensor:
        """(B, I) sums of the history's rows of B."""
        return history_sum(batch.history, catalogue)


class EASERecent(EASE):
    """EASE learnt from whole train histories and scored from the last few interactions, whose number validation chooses.

    B is the same; what changes is the question asked of it. What a user did last says more than what they did overall,
    and this is the least that a model of sequences has to beat.
    """

    Config = EASERecentConfig


def _weights(train: Histories, items: int, regularisation: float) -> NDArray[np.float32]:
    """(I, I) B. ModelError where X^T X + lambda I is not positive definite in float64."""
    inverse, failed = lapack.dpotrf(_gram(train, items, regularisation), lower=True, overwrite_a=True)
    if not failed:
        inverse, failed = lapack.dpotri(inverse, lower=True, overwrite_c=True)
    if failed:
        raise ModelError(
            f"recommender.params.regularisation: {regularisation:g} is too small to invert the item matrix; raise it"
        )
    # The lower triangle in columns is the upper one in rows, with zeros below it.
    weights: NDArray[np.float32] = inverse.T.astype(np.float32)
    del inverse
    weights += np.triu(weights, 1).T
    weights /= -np.diag(weights)
    np.fill_diagonal(weights, 0)
    return weights


def _gram(train: Histories, items: int, regularisation: float) -> NDArray[np.float64]:
    """(I, I) X^T X + lambda I, column-major as LAPACK overwrites it."""
    taken = interaction_matrix(train, items).tocsc()
    gram = np.zeros((items, items), order="F")
    for first in range(0, items, _COLUMNS):
        columns = slice(first, first + _COLUMNS)
        gram[:, columns] = (taken.T @ taken[:, columns]).toarray()
    np.fill_diagonal(gram, np.diag(gram) + regularisation)
    return gram
