"""95 % intervals over users."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESAMPLES = 2_000
_LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over users and its 95 % interval; the bounds are None where none can be given (fewer than two users)."""

    mean: float
    low: float | None
    high: float | None


def mean_interval(values: NDArray[np.float64], seed: int) -> Interval:
    """Mean of one value in [0, 1] per user.

    Values that are only 0 and 1 (HR) get Wilson's interval, which holds at 0 % and 100 % too; others the bootstrap.
    """
    if len(values) > 1 and np.isin(values, (0.0, 1.0)).all():
        bounds = stats.binomtest(int(values.sum()), len(values)).proportion_ci(_LEVEL, method="wilson")
        return Interval(float(values.mean()), float(bounds.low), float(bounds.high))
    return bootstrap_interval(values, seed)


def bootstrap_interval(values: NDArray[np.float64], seed: int) -> Interval:
    """Mean of one value per user, such as a paired difference, with the BCa bootstrap over users (Efron, 1987).

    2,000 resamples drawn from `seed`. Where all users are alike there is nothing to resample: both bounds are the mean.
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, None, None)
    if np.ptp(values) == 0:
        return Interval(mean, mean, mean)
    result = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=_LEVEL,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return Interval(mean, float(result.confidence_interval.low), float(result.confidence_interval.high))
