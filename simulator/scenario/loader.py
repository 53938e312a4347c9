"""From a scenario file and overrides to a Scenario, and to a description for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.reading import read_document, typed
from simulator.scenario.arms import check_arms, check_traffic
from simulator.scenario.declared import check_study
from simulator.scenario.schema import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pydantic import JsonValue


def load(
    path: Path, overrides: Sequence[str] = (), check: Callable[[Scenario], None] = lambda scenario: None
) -> Scenario:
    """The scenario in a file, as `scenarios.reading.read` finds and reads it; what is wrong with one of its arms, by the schema or
    by `check`, is told with the arm's place, what is wrong with its study with its own.
    """
    document = read_document(path, overrides)
    scenario = typed(Scenario, document)
    check_arms(scenario, document, check)
    check_traffic(scenario, document)
    check_study(scenario, document)
    return scenario


def json_schema() -> dict[str, JsonValue]:
    """JSON Schema (2020-12) of a scenario file, for editors and checks elsewhere."""
    return Scenario.model_json_schema()
