"""What a scenario's comparison of arms is about: the one metric that decides, and the comparisons that count together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.measures import fidelity
from simulator.measures.power import LEVEL, POWER
from simulator.measures.ranking import ALONE, REFINED
from simulator.scenario.arms import arms_of
from simulator.scenario.plan import references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.scenario.schema import Scenario


@dataclass(frozen=True)
class Declared:
    """Fixed before anybody is asked."""

    by_scenario: bool
    """Written in the scenario; otherwise the defaults stand."""
    list: str
    """Of the primary comparison."""
    metric: str
    references: Mapping[str, str]
    """Arm -> the one that it is compared with, both as recorded."""
    family: tuple[str, ...]
    """Arms, as recorded, whose primary comparisons are corrected together."""
    planned_users: int
    """Fewer are an interim look."""
    alpha: float
    power: float
    smallest_effect: float | None
    """The smallest difference of the primary metric that matters."""
    lists: tuple[str, ...]
    """All that is compared, the primary list and metric among them."""
    metrics: tuple[str, ...]


def declared(scenario: Scenario) -> Declared:
    """What the arms of a scenario are compared by."""
    pairs = references(arms_of(scenario))
    if scenario.slates.source == "held_out":
        lists, metrics, metric = [fidelity.AUDIENCE], ["auc", "f1"], "auc"
    else:
        last = scenario.cutoffs[-1]
        lists, metrics, metric = [REFINED, ALONE], [f"hr@{last}", f"ndcg@{last}"], f"ndcg@{last}"
    return Declared(
        by_scenario=False,
        list=lists[0],
        metric=metric,
        references=pairs,
        family=tuple(pairs),
        planned_users=scenario.users.count,
        alpha=LEVEL,
        power=POWER,
        smallest_effect=None,
        lists=tuple(lists),
        metrics=tuple(metrics),
    )
