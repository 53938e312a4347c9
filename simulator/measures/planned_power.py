"""What a planned comparison of arms could show, before anybody is asked: the power that is told beside the cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.measures.findings import metric_of
from simulator.measures.power import smallest_detectable, users_needed

if TYPE_CHECKING:
    from simulator.scenario.declared import Declared


@dataclass(frozen=True)
class Reach:
    """At one level of significance."""

    alpha: float
    detectable_d_z: float
    """The smallest difference that the planned users show, in standard deviations of the differences."""
    smallest_detectable: float | None
    """The same in units of the metric; None without an expected standard deviation."""
    users_needed: int | None
    """For the declared smallest effect; None unless that and the expected standard deviation are declared."""


@dataclass(frozen=True)
class PlannedPower:
    """Of the primary comparison, by the paired t test."""

    metric: str
    """In words."""
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
            size = f"{reach.detectable_d_z:.3f} standard deviations of the differences"
            if reach.smallest_detectable is not None:
                size = f"{reach.smallest_detectable:.4f} ({size})"
            which = "" if reach is self.single else f", the first of {self.comparisons} comparisons by Holm"
            line = (
                f"  at {reach.alpha:.4g}{which}: they show a difference of {size} with {self.power:.0%} power"
            )
            if reach.users_needed is not None:
                line += f"; the declared {self.smallest_effect:.4g} needs {reach.users_needed:,}"
            told.append(line)
        if self.expected_sd is None:
            told.append(
                "  in units of the metric: unknown without study.expected_sd; take `sd` from the summary.json of a pilot"
            )
        elif self.smallest_effect is None:
            told.append("  users needed: unknown without study.smallest_effect")
        return told


def planned_power(declared: Declared, users: int, expected_sd: float | None) -> PlannedPower:
    """What the declared comparison of arms can show where `users` are asked."""
    comparisons = max(1, len(declared.family))
    single, first = (
        _reach(declared, alpha, expected_sd) for alpha in (declared.alpha, declared.alpha / comparisons)
    )
    return PlannedPower(
        metric=metric_of(declared),
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
