"""How many users show which difference in hits: the power of the exact test of who gained a hit and who lost one.

Of hits, 0 or 1 for each user, only users that change tell anything: of n of them as many should gain as lose. The test is the
binomial one (McNemar's exact test), of which the randomisation test of `simulator.measures.comparison` is a version with 9,999
draws, whose power differs from it by less than a hundredth. It has few values and cannot use up its level, so that its power is less
than the paired t test's. The power is unconditional: n is not known before, and is itself binomial over all users.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache

import numpy as np
from scipy import optimize, stats

from simulator.measures.power import LEVEL, POWER, power_of

_TAIL = 1e-12
"""Of the numbers of users that change, left out at either end."""
_MOST_EXACT = 10**7
"""Users, beyond which the paired t test has the same power to a thousandth, and a sum over so many numbers takes long."""
_REACH = 16
"""Power falls by a little wherever one more user moves the critical value; so many more users must not fall below it again."""
_START = 32
"""Of the search for enough users, by doubling."""


def changing_share(effect: float, sd: float) -> float:
    """The share of users that change, psi, where the differences have the mean `effect` and the standard deviation `sd`.

    sd^2 = psi - effect^2, of a difference that is -1, 0 or 1. A difference of `effect` takes as large a share at least, and
    everybody at most: a deviation that does not go with it is raised, or lowered, to the nearest that does.
    """
    return min(1.0, max(sd**2 + effect**2, abs(effect)))


def power_of_hits(effect: float, sd: float, users: int, *, alpha: float = LEVEL) -> float:
    """The probability that `users` show a difference in hits of `effect` (-1 to 1), the deviation being `sd`, at p <= `alpha`."""
    changing = changing_share(effect, sd)
    if not changing:
        return 0.0
    if users > _MOST_EXACT:
        own = math.sqrt(changing - effect**2)
        return power_of(effect / own, users, alpha=alpha) if own else 1.0
    fewest, most = stats.binom.ppf((_TAIL, 1 - _TAIL), users, changing)
    counts = np.arange(fewest, most + 1)
    weight = stats.binom.pmf(counts, users, changing)
    # The fewest gains, or losses, of n that come with p <= alpha; more than n where none do.
    critical = stats.binom.isf(alpha / 2, counts, 0.5) + 1
    gaining = (1 + effect / changing) / 2
    found = stats.binom.sf(critical - 1, counts, gaining) + stats.binom.cdf(
        counts - critical, counts, gaining
    )
    return float(weight @ found)


@cache
def smallest_detectable_hits(
    users: int, sd: float, *, alpha: float = LEVEL, power: float = POWER
) -> float | None:
    """The smallest difference in hits that `users` show with this power, the deviation being `sd`.

    None where they are so few that p is above `alpha` even if all of them gain: five at most, at .05.
    """

    def beyond(effect: float) -> float:
        return power_of_hits(effect, sd, users, alpha=alpha) - power

    return float(optimize.brentq(beyond, 0, 1, xtol=1e-12)) if beyond(1) >= 0 else None


@cache
def users_needed_hits(effect: float, sd: float, *, alpha: float = LEVEL, power: float = POWER) -> int:
    """The users that show a difference in hits of `effect` (not 0) with this power, the deviation being `sd`, as do more of them.

    No difference in hits is larger than 1: more counts as that.
    """
    effect = min(abs(effect), 1.0)

    def has_power(users: int) -> bool:
        return power_of_hits(effect, sd, users, alpha=alpha) >= power

    enough = _START
    while not has_power(enough):
        enough *= 2
    first = bisect_left(range(enough), 1, lo=2, key=has_power)
    while short := [users for users in range(first + 1, first + _REACH) if not has_power(users)]:
        first = short[-1] + 1
    return first
