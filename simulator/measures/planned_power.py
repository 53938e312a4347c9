"""What a planned comparison of arms could show, before anybody is asked: the power that is told beside the cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.measures.findings import metric_of
from simulator.measures.hit_power import smallest_detectable_hits, users_needed_hits
from simulator.measures.power import smallest_detectable, users_needed

if TYPE_CHECKING:
    from simulator.scenario.declared import Declared


@dataclass(frozen=True)
class Reach:
    """At one level of significance."""

    alpha: float
    detectable_d_z: float | None
    """The smallest difference that the planned users show, in standard deviations of the differences; None of hits, whose power
    depends on how many users change."""
    smallest_detectable: float | None
    """The same in units of the metric; None without an expected standard deviation, and where so few users show no difference."""
    users_needed: int | None
    """For the declared smallest effect; None unless that and the expected standard deviation are declared."""


@dataclass(frozen=True)
class PlannedPower:
    """Of the primary comparison: of hits, 0 or 1 for each user, by the exact test of those that change; else by the paired t test."""

    metric: str
    """In words."""
    hits: bool
    """Whether each user has a hit or none."""
    planned_users: int
    users: int
    """That the scenario asks; fewer than planned are an interim look."""
    power: float
    expected_sd: float | None
    smallest_effect: float | None
    single: Reach
    """Of one comparison at the level of the whole family."""
    first_of_family: Reach
    """Of the smallest p of the family, which Holm holds to the level divided by the number of comparisons."""
    comparisons: int

    def lines(self) -> list[str]:
        """In words."""
        reaches = [self.single] if self.comparisons == 1 else [self.single, self.first_of_family]
        told = [
            f"power: {self.metric}, {self.planned_users:,} planned users"
            + (
                f", of whom this run asks {self.users:,} (an interim look)"
                * (self.users < self.planned_users)
            )
        ]
        for reach in reaches:
            which = "" if reach is self.single else f", the first of {self.comparisons} comparisons by Holm"
            line = f"  at {reach.alpha:.4g}{which}: {self._shown(reach)}"
            if reach.users_needed is not None:
                line += f"; the declared {self.smallest_effect:.4g} needs {reach.users_needed:,}"
            told.append(line)
        if self.expected_sd is None:
            told.append(
                "  in units of the metric: unknown without study.expected_sd; take `sd` from the summary.json of a pilot"
                + ", or the root of the share of users that change" * self.hits
            )
        elif self.smallest_effect is None:
            told.append("  users needed: unknown without study.smallest_effect")
        return told

    def _shown(self, reach: Reach) -> str:
        sizes = []
        if reach.smallest_detectable is not None:
            sizes.append(f"{reach.smallest_detectable:.4f}")
        if reach.detectable_d_z is not None:
            in_sd = f"{reach.detectable_d_z:.3f} standard deviations of the differences"
            sizes.append(f"({in_sd})" if sizes else in_sd)
        if sizes:
            return f"they show a difference of {' '.join(sizes)} with {self.power:.0%} power"
        if self.expected_sd is None:
            return "which difference they show depends on how many users change"
        return f"so few users show no difference with {self.power:.0%} power, even if all of them change for the better"


def planned_power(
    declared: Declared, users: int, expected_sd: float | None, *, hits: bool = False
) -> PlannedPower:
    """What the declared comparison of arms can show where `users` are asked; `hits`: each user has a hit or none."""
    comparisons = max(1, len(declared.family))
    reach = _reach_of_hits if hits else _reach
    single, first = (
        reach(declared, alpha, expected_sd) for alpha in (declared.alpha, declared.alpha / comparisons)
    )
    return PlannedPower(
        metric=metric_of(declared),
        hits=hits,
        planned_users=declared.planned_users,
        users=users,
        power=declared.power,
        expected_sd=expected_sd,
        smallest_effect=declared.smallest_effect,
        single=single,
        first_of_family=first,
        comparisons=comparisons,
    )


def _reach(declared: Declared, alpha: float, expected_sd: float | None) -> Reach:
    d_z = smallest_detectable(declared.planned_users, alpha=alpha, power=declared.power)
    if expected_sd is None:
        return Reach(alpha, d_z, None, None)
    effect = declared.smallest_effect
    needed = None if effect is None else users_needed(effect / expected_sd, alpha=alpha, power=declared.power)
    return Reach(alpha, d_z, d_z * expected_sd, needed)


def _reach_of_hits(declared: Declared, alpha: float, expected_sd: float | None) -> Reach:
    if expected_sd is None:
        return Reach(alpha, None, None, None)
    level = {"alpha": alpha, "power": declared.power}
    effect = declared.smallest_effect
    needed = None if effect is None else users_needed_hits(effect, expected_sd, **level)
    return Reach(alpha, None, smallest_detectable_hits(declared.planned_users, expected_sd, **level), needed)
