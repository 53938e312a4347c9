"""The scenario file: what is run, as typed and checked values."""

from scenarios.reading import ScenarioError, dump, find
from simulator.scenario.arms import Arm, arms_of, recommenders_of
from simulator.scenario.loader import json_schema, load
from simulator.scenario.schema import Scenario

__all__ = [
    "Arm",
    "Scenario",
    "ScenarioError",
    "arms_of",
    "dump",
    "find",
    "json_schema",
    "load",
    "recommenders_of",
]
