"""A library's model: alternating least squares of `implicit`, Hu, Koren and Volinsky (2008), Takacs et al. (2011)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from recommender.data.histories import PAD
from recommender.models import Batch, Inputs, ModelError, Recommender, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.data.histories import Histories

_GATHERED = 1 << 23
"""Numbers of item vectors that are gathered at once to solve for users: 64 MiB."""


@dataclass(frozen=True)
class ImplicitALSConfig:
    """Options of the library's AlternatingLeastSquares, under its names."""

    factors: int = 64
    """d, the width of the vectors."""
    regularization: float = 0.01
    """lambda, the weight of the squared norms."""
    alpha: float = 1.0
    """c, the confidence that an item of the history is liked; that an item outside of it is not has confidence 1."""
    iterations: int = 15
    """Times that users are solved for the items and items for the users."""
    threads: int = 0
    """Threads of the fit; 0 takes the cores that the process may use."""


class ImplicitALS(Recommender):
    """Item vectors y_i are fitted by the library when built; a user is solved for anew from the history of the moment.

    x_u = (Y'Y + lambda I + (c - 1) sum_h y_h y_h')^-1 c sum_h y_h over the different items h of the history: half a step of
    the fit itself, what the library calls `recalculate_user`. So what an audience accepts counts, and a user whom the fit
    has not seen is served as well as one whom it has. Without a history all scores are 0, in the order of the catalogue.
    """

    Config = ImplicitALSConfig
    history_length = None

    def __init__(self, config: ImplicitALSConfig, inputs: Inputs) -> None:
        super().__init__()
        _check(config)
        self.config = config
        seed = int(torch.randint(2**31, ()))
        fitted = torch.from_numpy(_fitted(config, inputs.train, inputs.items, seed))
        # Saved with the weights, so that what is served is what was fitted.
        self.register_buffer("vectors", fitted)
        self.vectors: Tensor

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the targets under a softmax of the scores (nothing to train: the library has fitted)."""
        assert batch.target is not None
        return functional.cross_entropy(scores(self.users(batch), self.items()), batch.target)

    def users(self, batch: Batch) -> Tensor:
        """(B, 1, d) solved from the histories."""
        gram = self._gram()
        rows = max(1, _GATHERED // max(1, batch.history.shape[1] * self.vectors.shape[1]))
        solved = [self._solved(part, gram) for part in batch.history.split(rows)]
        return torch.cat(solved)[:, None]

    def items(self) -> Tensor:
        """(I, d) as the library fitted them."""
        return self.vectors

    def _gram(self) -> Tensor:
        """(d, d) float64 Y'Y + lambda I."""
        vectors = self.vectors.double()
        width = torch.eye(vectors.shape[1], dtype=torch.float64, device=vectors.device)
        return vectors.T @ vectors + self.config.regularization * width

    def _solved(self, history: Tensor, gram: Tensor) -> Tensor:
        """(b, d) of histories (b, L)."""
        taken = history.sort(dim=1).values
        counted = taken != PAD
        counted[:, 1:] &= taken[:, 1:] != taken[:, :-1]
        vectors = self.vectors.double()[taken.clamp(min=0)] * counted[..., None]
        known = vectors.mT @ vectors
        right = self.config.alpha * vectors.sum(1)
        solved: Tensor = torch.linalg.solve(gram + (self.config.alpha - 1) * known, right)
        return solved.to(self.vectors.dtype)


def _check(config: ImplicitALSConfig) -> None:
    for name in ("factors", "iterations"):
        if getattr(config, name) < 1:
            raise ModelError(f"recommender.params.{name}: {getattr(config, name)} should be at least 1")
    for name in ("regularization", "alpha"):
        if not getattr(config, name) > 0:
            raise ModelError(f"recommender.params.{name}: {getattr(config, name)} should be above 0")
    if config.threads < 0:
        raise ModelError(f"recommender.params.threads: {config.threads} should be 0 (all) or more")


def _fitted(config: ImplicitALSConfig, train: Histories, items: int, seed: int) -> NDArray[np.float32]:
    """(I, d) item vectors of a fit to train; on the CPU, the same bits whatever the number of threads."""
    als, threadpoolctl, failure = _library()
    taken = sparse.csr_matrix(
        (np.ones(len(train.item), dtype=np.float32), train.item.numpy(), train.start.numpy()),
        shape=(len(train.start) - 1, items),
        copy=True,
    )
    taken.sum_duplicates()
    taken.data[:] = 1
    # The library works in threads of its own, and asks that those of BLAS are off.
    with threadpoolctl.threadpool_limits(1, "blas"):
        model = als.AlternatingLeastSquares(
            factors=config.factors,
            regularization=config.regularization,
            alpha=config.alpha,
            iterations=config.iterations,
            num_threads=config.threads or joblib.cpu_count(),
            random_state=seed,
        )
        try:
            model.fit(taken, show_progress=False)
        except failure as error:
            raise ModelError(
                f"recommender.params: the fit of ALS has diverged ({error}); lower alpha or raise regularization"
            ) from error
    vectors: NDArray[np.float32] = model.item_factors
    return vectors


def _library() -> tuple[Any, Any, type[Exception]]:
    """The model's module, that of the threads of BLAS, and what a failed fit raises; ModelError where they are not installed."""
    try:
        import threadpoolctl  # noqa: PLC0415 - asked for where the model is
        from implicit.cpu import als  # noqa: PLC0415 - as above
        from implicit.recommender_base import ModelFitError  # noqa: PLC0415 - as above
    except ImportError as error:
        raise ModelError(
            f"recommender.model: this one needs implicit, which cannot be imported ({error}); "
            "install it with: pip install 'screentest[implicit]'"
        ) from error
    return als, threadpoolctl, ModelFitError
