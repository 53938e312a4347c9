"""Two arms on the same users: how large the difference within users is, how sure, and what these users could have shown.

The unit is the user, whose rounds and replicates are averaged before: more replicates say more of each user, and make no users.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from recommender.intervals import bootstrap_interval
from simulator.measures.hit_power import smallest_detectable_hits, users_needed_hits
from simulator.measures.power import LEVEL, POWER, smallest_detectable, users_needed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

RESAMPLES = 9_999
"""Sign flips of a randomisation test, so that p is a whole number of ten-thousandths."""
_FLIPS_AT_ONCE = 4_000_000
"""Bounds the memory of the flips of many users."""
_EQUAL = 1e-12
"""Metrics of one user that differ by less differ in the order of additions only."""


@dataclass(frozen=True)
class Discordant:
    """Users with a hit in one of the two arms only, and McNemar's exact test of them."""

    gained: int
    """A hit with the arm, none with the reference."""
    lost: int
    p: float | None
    """None where there is no such user."""


@dataclass(frozen=True)
class PairedComparison:
    """An arm less its reference, within users. What cannot be told is None, and `reasons` says why."""

    users: int
    difference: float | None
    """Mean over the users."""
    low: float | None
    """Of the 95 % BCa bootstrap interval over users."""
    high: float | None
    p: float | None
    """Two-sided, of the randomisation test that flips the signs of differences at random: (1 + as extreme) / (1 + flips)."""
    p_holm: float | None
    """The same, held against all comparisons of the family (Holm, 1979); of members of the family only."""
    d_z: float | None
    """Cohen's: the mean in standard deviations of the differences."""
    sd: float | None
    """Of the differences; what the next study can be planned with."""
    wins: int
    """Users for whom the arm is better."""
    ties: int
    losses: int
    smallest_detectable: float | None
    """The smallest difference that so many users with this standard deviation show, at the power asked for: of hits, where each
    user has one or none, by the exact test of those that change; else by the paired t test."""
    users_needed: int | None
    """To show the declared smallest effect or, where none is declared, a difference as large as the measured one."""
    discordant: Discordant | None
    """Of hits only."""
    reasons: Mapping[str, str]
    """Field -> why it is None."""

    def as_dict(self) -> dict[str, Any]:
        """What summary.json holds."""
        return asdict(self)


def compare(
    arm: NDArray[np.float64],
    reference: NDArray[np.float64],
    seed: int,
    *,
    hits: bool = False,
    effect: float | None = None,
    alpha: float = LEVEL,
    power: float = POWER,
) -> PairedComparison:
    """Compare one metric of the same users (U,) in two arms; `hits` says that it counts hits (HR).

    `effect`, in units of the metric, is what `users_needed` is about. `p_holm` is left to `corrected`.
    """
    differences = arm - reference
    differences[np.abs(differences) <= _EQUAL] = 0
    users = len(differences)
    reasons = {"p_holm": "not in the family of comparisons"}
    found = PairedComparison(
        users=users,
        difference=float(differences.mean()) if users else None,
        low=None,
        high=None,
        p=None,
        p_holm=None,
        d_z=None,
        sd=float(differences.std(ddof=1)) if users > 1 else None,
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        smallest_detectable=None,
        users_needed=None,
        discordant=_discordant(arm, reference, hits=hits, reasons=reasons),
        reasons=reasons,
    )
    uncertain = ("low", "high", "d_z", "smallest_detectable", "users_needed")
    if users < 2:
        few = "no user has the metric in both arms" if users == 0 else "one user has no spread"
        lost = ("difference", "sd", "p", *uncertain) if users == 0 else ("sd", "p", *uncertain)
        return replace(found, reasons=reasons | dict.fromkeys(lost, few))
    if found.ties == users:
        all_tie = f"all {users:,} users tie"
        return replace(found, reasons=reasons | dict.fromkeys(("p", *uncertain), all_tie))
    found = replace(found, p=randomisation_p(differences, seed))
    if np.ptp(differences) <= _EQUAL:
        alike = f"all {users:,} users have the same difference, so that nothing varies"
        return replace(found, sd=0.0, reasons=reasons | dict.fromkeys(uncertain, alike))
    interval = bootstrap_interval(differences, seed)
    assert found.sd is not None
    wanted = interval.mean if effect is None else effect
    if abs(wanted) <= _EQUAL:
        reasons["users_needed"] = "the measured difference is 0, and no smallest effect is declared"
    detectable, needed = _reach(found, wanted, alpha, power)
    if detectable is None:
        reasons["smallest_detectable"] = (
            f"{users:,} users show no difference of hits, even if all of them gain"
        )
    return replace(
        found,
        low=interval.low,
        high=interval.high,
        d_z=interval.mean / found.sd,
        smallest_detectable=detectable,
        users_needed=needed,
    )


def _reach(
    found: PairedComparison, wanted: float, alpha: float, power: float
) -> tuple[float | None, int | None]:
    """The smallest difference that the users show, None where they show none; and the users for `wanted`, None for 0."""
    assert found.sd is not None
    nothing = abs(wanted) <= _EQUAL
    if found.discordant is None:
        return (
            found.sd * smallest_detectable(found.users, alpha=alpha, power=power),
            None if nothing else users_needed(wanted / found.sd, alpha=alpha, power=power),
        )
    return (
        smallest_detectable_hits(found.users, found.sd, alpha=alpha, power=power),
        None if nothing else users_needed_hits(wanted, found.sd, alpha=alpha, power=power),
    )


def corrected(family: Sequence[PairedComparison]) -> list[PairedComparison]:
    """The comparisons of a family with `p_holm`. One that has no p stays in the count, as one that shows nothing."""
    if not family:
        return []
    adjusted = multipletests([1.0 if each.p is None else each.p for each in family], method="holm")[1]
    found = []
    for each, p_holm in zip(family, adjusted, strict=True):
        reasons = {name: why for name, why in each.reasons.items() if name != "p_holm"}
        if each.p is None:
            found.append(replace(each, reasons=reasons | {"p_holm": reasons["p"]}))
        else:
            found.append(replace(each, p_holm=float(p_holm), reasons=reasons))
    return found


def randomisation_p(differences: NDArray[np.float64], seed: int) -> float:
    """Two-sided p of differences within users (U,), not all 0, whose signs are as likely one way as the other if arms are alike.

    `scipy.stats.monte_carlo_test`, with 9,999 draws from `seed`. Users that tie are left out: no sign changes them.
    """
    told = differences[differences != 0]
    generator = np.random.default_rng(seed)

    def flipped(size: tuple[int, ...]) -> Any:
        return np.where(generator.integers(0, 2, size, dtype=np.int8), told, -told)

    result = stats.monte_carlo_test(
        told,
        flipped,
        np.sum,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, _FLIPS_AT_ONCE // len(told)),
    )
    return float(result.pvalue)


def _discordant(
    arm: NDArray[np.float64], reference: NDArray[np.float64], *, hits: bool, reasons: dict[str, str]
) -> Discordant | None:
    if not hits:
        reasons["discordant"] = "told of hits (HR) only"
        return None
    if not (np.isin(arm, (0.0, 1.0)).all() and np.isin(reference, (0.0, 1.0)).all()):
        reasons["discordant"] = "some user has a share of hits, as an average over rounds or replicates"
        return None
    gained, lost = int((arm > reference).sum()), int((arm < reference).sum())
    same = len(arm) - gained - lost
    p = float(mcnemar([[same, lost], [gained, 0]], exact=True).pvalue) if gained + lost else None
    return Discordant(gained, lost, p)
