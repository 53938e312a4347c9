"""The arms of a scenario, each as a scenario of its own; one that compares nothing is its own only arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.arms import KEYS, Variant, variants
from scenarios.document import Document
from scenarios.reading import ScenarioError, changed
from simulator.scenario.schema import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import JsonValue

    from scenarios.document import Loc

_OF_NO_ARM = (*KEYS, "study")
"""Keys of a scenario that plan a comparison."""


@dataclass(frozen=True)
class Arm:
    """What the users of one arm are asked, by whom, and what becomes of it."""

    name: str
    """"" for the only arm of a scenario that compares nothing."""
    changes: Mapping[str, JsonValue]
    """Dotted keys and their values: what makes it differ from the scenario."""
    scenario: Scenario
    """Without arms."""

    @property
    def lengths(self) -> Mapping[str, int | None]:
        """The names under which its turns are recorded, one for each history length; None keeps whole histories."""
        lengths = self.scenario.cold_start.lengths
        if lengths is None:
            return {self.name or "history-all": None}
        prefix = f"{self.name}, " if self.name else ""
        return {f"{prefix}history-{length}": length for length in lengths}


def arms_of(scenario: Scenario) -> tuple[Arm, ...]:
    """The arms in order, the first of which is the reference. ScenarioError if one is no scenario."""
    return _expanded(scenario, {(): scenario.name}, _accepted)


def recommenders_of(scenario: Scenario) -> dict[str, Scenario]:
    """The recommenders that share the traffic, by name, each as the scenario that it would have alone: the control first."""
    return _sharing(scenario, {(): scenario.name})


def check_traffic(scenario: Scenario, document: Document) -> None:
    """ScenarioError naming the place in `document` of a challenger that is no recommender."""
    _sharing(scenario, document.places)


def _sharing(scenario: Scenario, places: Mapping[Loc, str]) -> dict[str, Scenario]:
    traffic = scenario.traffic
    if traffic is None:
        return {"": scenario}
    told = scenario.model_dump(mode="json", exclude={*_OF_NO_ARM, "traffic"})
    base = Document(told, places)
    found = {traffic.control: scenario.model_copy(update={"traffic": None})}
    for name, changes in traffic.challengers.items():
        own, place = base, ("traffic", "challengers", name)
        for key, value in changes.items():
            own = changed(own, key, value, base.place((*place, key)))
        found[name] = Variant(name, changes, own, base.place(place)).typed(Scenario)
    return found


def check_arms(scenario: Scenario, document: Document, check: Callable[[Scenario], None]) -> None:
    """ScenarioError naming the place in `document` of an arm that is no scenario, or that `check` raises a ValueError for."""
    if scenario.arms is not None or scenario.sweep is not None:
        _expanded(scenario, document.places, check)


def _expanded(
    scenario: Scenario, places: Mapping[Loc, str], check: Callable[[Scenario], None]
) -> tuple[Arm, ...]:
    if scenario.arms is None and scenario.sweep is None:
        return (Arm("", {}, scenario),)
    # From the scenario as it is written down, every default in its place: resumed, it comes to the same arms.
    document = Document(scenario.model_dump(mode="json"), places)
    arms: list[Arm] = []
    names: set[str] = set()
    for variant in variants(document, scenario.arms, scenario.sweep, _OF_NO_ARM):
        arm = Arm(variant.name, variant.changes, variant.typed(Scenario))
        if taken := names.intersection(arm.lengths):
            raise ScenarioError(
                f"{variant.place}: arm {arm.name!r} would be recorded as {min(taken)!r}, as another is; rename one, or leave "
                "one out"
            )
        names.update(arm.lengths)
        try:
            check(arm.scenario)
        except ValueError as error:
            raise ScenarioError(f"{variant.place}: arm {arm.name!r}: {error}") from error
        arms.append(arm)
    return tuple(arms)


def _accepted(scenario: Scenario) -> None:
    """No check beyond the schema's."""
