"""95 % intervals over users."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESAMPLES = 2_000
_LEVEL = 0.95
_DRAWS_AT_ONCE = 4_000_000
"""Bounds the memory of resampling many users."""


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
    """Mean of one value per user (U,), such as a paired difference, with the BCa bootstrap over users (Efron, 1987).

    2,000 resamples drawn from `seed`. Where all users are alike there is nothing to resample: both bounds are the mean.
    The numbers are those of `scipy.stats.bootstrap(method="BCa")`, whose jackknife would make a (U, U) table; of a mean it is
    known in closed form.
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, None, None)
    if np.ptp(values) == 0:
        return Interval(mean, mean, mean)
    means = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        batch=max(1, _DRAWS_AT_ONCE // len(values)),
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).bootstrap_distribution
    # Efron (1987): z0 says how far the resamples lie to one side of the mean, a how their spread follows it.
    z0 = stats.norm.ppf(stats.percentileofscore(means, mean, kind="mean") / 100)
    centred = values - mean
    a = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    z = z0 + stats.norm.ppf([(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    low, high = np.quantile(means, stats.norm.cdf(z0 + z / (1 - a * z)))
    return Interval(mean, float(low), float(high))
