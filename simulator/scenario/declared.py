"""What a scenario's comparison of arms is about: the one metric that decides, and the comparisons that count together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.reading import ScenarioError
from simulator.measures import fidelity
from simulator.measures.ranking import ALONE, KINDS, REFINED
from simulator.scenario.arms import arms_of
from simulator.scenario.plan import references
from simulator.scenario.study_plan import StudyPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scenarios.document import Document, Loc
    from simulator.scenario.arms import Arm
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


def declared(scenario: Scenario, arms: Sequence[Arm] | None = None) -> Declared:
    """What the arms of a scenario, or those given, are compared by."""
    plan = scenario.study or StudyPlan()
    arms = arms or arms_of(scenario)
    pairs = references(arms)
    if scenario.slates.source == "held_out":
        metrics, metric = ["auc", "f1"], plan.primary or "auc"
    else:
        last = scenario.cutoffs[-1]
        metrics, metric = [f"hr@{last}", f"ndcg@{last}"], plan.primary or f"ndcg@{last}"
    lists = _lists(scenario)
    members = {name for arm in arms if plan.family is None or arm.name in plan.family for name in arm.lengths}
    return Declared(
        by_scenario=scenario.study is not None,
        list=plan.list or lists[0],
        metric=metric,
        references=pairs,
        family=tuple(arm for arm in pairs if arm in members),
        planned_users=plan.planned_users or scenario.users.count,
        alpha=plan.alpha,
        power=plan.power,
        smallest_effect=plan.smallest_effect,
        lists=lists,
        metrics=tuple(dict.fromkeys([metric, *metrics])),
    )


def check_study(scenario: Scenario, document: Document) -> None:
    """ScenarioError naming the place of a plan that does not fit what the scenario measures and compares."""
    if scenario.study is None:
        return
    lines = [
        f"{document.place(('study', *loc))}: {wrong}" for loc, wrong in _mistakes(scenario, scenario.study)
    ]
    if lines:
        raise ScenarioError("\n".join(lines))


def _mistakes(scenario: Scenario, plan: StudyPlan) -> Iterator[tuple[Loc, str]]:
    if scenario.arms is None and scenario.sweep is None:
        yield (), "study should be left out where there are no arms and no sweep: nothing is compared"
        return
    metrics = metrics_of(scenario)
    if plan.primary is not None and plan.primary not in metrics:
        yield ("primary",), f"study.primary should be one of {', '.join(metrics)}, not {plan.primary!r}"
    lists = _lists(scenario)
    if plan.list is not None and plan.list not in lists:
        source = scenario.slates.source
        yield (
            ("list",),
            f"study.list should be {' or '.join(lists)} where slates.source is {source}, not {plan.list!r}",
        )
    if plan.power <= plan.alpha:
        yield (
            ("power",),
            f"study.power should be more than study.alpha ({plan.alpha:g}): so many studies find what is not there",
        )
    arms = arms_of(scenario)
    pairs = references(arms)
    names = [arm.name for arm in arms if pairs.keys() & arm.lengths.keys()]
    for number, name in enumerate(plan.family or ()):
        if name not in names:
            others = ", ".join(names) or "none: no arm has a counterpart of its history length"
            what = "is the arm that others are compared with" if name == arms[0].name else "is none"
            yield (
                ("family", number),
                f"study.family should name arms that are compared ({others}); {name!r} {what}",
            )


def _lists(scenario: Scenario) -> tuple[str, ...]:
    return (fidelity.AUDIENCE,) if scenario.slates.source == "held_out" else (REFINED, ALONE)


def metrics_of(scenario: Scenario) -> tuple[str, ...]:
    """What a comparison may be about."""
    if scenario.slates.source == "held_out":
        return tuple(fidelity.METRICS)
    return tuple(f"{kind}@{n}" for kind in KINDS for n in scenario.cutoffs)
