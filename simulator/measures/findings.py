"""What the comparison of arms found, in plain words: the size of the difference leads, p follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.measures.comparison import PairedComparison
    from simulator.scenario.declared import Declared

_LISTS = {
    "refined": "the list after the audience",
    "audience_alone": "the audience's own order",
    "recommender": "the recommender's list",
    "audience": "the audience",
}

_ALONE = "nothing is compared: no arm stands beside the first at a history length of it"


def study_told(declared: Declared, users: int) -> dict[str, Any]:
    """What was declared, and whether the `users` compared are as many as planned."""
    interim = bool(declared.references) and users < declared.planned_users
    members = len(declared.family)
    family = "1 comparison" if members == 1 else f"a family of {members} comparisons (Holm)"
    looked = (
        f"interim, {users:,} of {declared.planned_users:,} planned users: no final result"
        if interim
        else f"{users:,} users{_planned(declared, users)}"
    )
    chosen = "declared in the scenario" if declared.by_scenario else "not declared beforehand"
    return {
        "primary": {"list": declared.list, "metric": declared.metric},
        "declared": declared.by_scenario,
        "family": list(declared.family),
        "alpha": declared.alpha,
        "power": declared.power,
        "smallest_effect": declared.smallest_effect,
        "planned_users": declared.planned_users,
        "users": users,
        "interim": interim,
        "text": f"{looked}; primary: {metric_of(declared)}, {family}, {chosen}"
        if declared.references
        else _ALONE,
    }


def _planned(declared: Declared, users: int) -> str:
    if not declared.by_scenario:
        return ""
    return (
        ", as planned"
        if users == declared.planned_users
        else f", more than the {declared.planned_users:,} planned"
    )


def metric_of(declared: Declared) -> str:
    """The primary metric in words."""
    return f"{declared.metric.upper()} of {_LISTS.get(declared.list, declared.list)}"


def finding(arm: str, found: PairedComparison, declared: Declared) -> str:
    """The primary comparison of an arm in one sentence or two."""
    if found.difference is None:
        return f"{arm}: not compared, {found.reasons['difference']}"
    bounds = "" if found.low is None else f" [{found.low:+.4f}, {found.high:+.4f}]"
    size = "" if found.d_z is None else f", d_z {found.d_z:+.2f}"
    told = (
        f"{arm}: {found.difference:+.4f}{bounds} against {declared.references[arm]}{size}; of {found.users:,} users better "
        f"for {found.wins:,}, equal for {found.ties:,}, worse for {found.losses:,}"
    )
    if found.p is None:
        return f"{told}; not tested, {found.reasons['p']}"
    if found.p_holm is None:
        return f"{told}; p {_p(found.p)}, outside of the family: a hint, no test"
    corrected = f" (Holm {_p(found.p_holm)})" if len(declared.family) > 1 else ""
    shown = found.p_holm <= declared.alpha
    told = f"{told}; p {_p(found.p)}{corrected}: {'a difference is shown' if shown else 'no difference is shown'}"
    if shown or found.smallest_detectable is None:
        return told
    # Holm holds the smallest p of a family to less than alpha, at which fewer differences are found.
    alone = ", were it tested alone" if len(declared.family) > 1 else ""
    reach = f"{found.users:,} users show one of {found.smallest_detectable:.4f} or more with {declared.power:.0%} power{alone}"
    if found.users_needed is None:
        return f"{told}. {reach}"
    wanted = abs(found.difference) if declared.smallest_effect is None else declared.smallest_effect
    return f"{told}. {reach}; {wanted:.4f} needs about {found.users_needed:,}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
