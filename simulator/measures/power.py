"""How many users show which difference: the power of the paired t test, in standard deviations of the differences."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache

from scipy import optimize, stats
from statsmodels.stats.power import TTestPower

LEVEL, POWER = 0.05, 0.8
"""What counts where nothing else is said: 5 % false alarms, two-sided, and four of five true differences found."""

_MOST_USERS = 2**62
"""More than could ever be needed; a difference that needs as many is 0 to the last digit."""


def power_of(d_z: float, users: int, *, alpha: float = LEVEL) -> float:
    """The probability that `users` (two or more) show a difference of `d_z` standard deviations."""
    found = float(TTestPower().power(abs(d_z), users, alpha))
    if not math.isnan(found):
        return found
    # So large a difference that the tail on its other side is too small to be computed, and nothing.
    degrees, centre = users - 1, abs(d_z) * math.sqrt(users)
    return float(stats.nct.sf(stats.t.isf(alpha / 2, degrees), degrees, centre))


@cache
def smallest_detectable(users: int, *, alpha: float = LEVEL, power: float = POWER) -> float:
    """The smallest difference, in standard deviations, that `users` (two or more) show with this power."""
    # Not by TTestPower.solve_power, whose search does not always end.
    high = 4 / math.sqrt(users)
    while power_of(high, users, alpha=alpha) < power:
        high *= 2
    return float(optimize.brentq(lambda d_z: power_of(d_z, users, alpha=alpha) - power, 0, high, xtol=1e-15))


@cache
def users_needed(d_z: float, *, alpha: float = LEVEL, power: float = POWER) -> int:
    """The users that show a difference of `d_z` standard deviations (not 0) with this power, two at least."""
    if abs(d_z) >= smallest_detectable(2, alpha=alpha, power=power):
        return 2
    return bisect_left(range(_MOST_USERS), power, lo=3, key=lambda users: power_of(d_z, users, alpha=alpha))
