"""From a scenario file and overrides to a Scenario, and to a description for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.reading import read
from simulator.scenario.schema import Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import JsonValue


def load(path: Path, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a file, as `scenarios.reading.read` finds and reads it."""
    return read(Scenario, path, overrides)


def json_schema() -> dict[str, JsonValue]:
    """JSON Schema (2020-12) of a scenario file, for editors and checks elsewhere."""
    return Scenario.model_json_schema()
