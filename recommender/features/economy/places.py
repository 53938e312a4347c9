"""From a US ZIP code to its state, and what the Census says of the state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from recommender.features.economy.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZIP = re.compile(r"([0-9]{5})(?:-?[0-9]{4})?")


@dataclass(frozen=True)
class State:
    """A US state, the District of Columbia, or an outlying area with US ZIP codes."""

    code: str
    """Two letters of the postal service."""
    name: str
    division: str
    """One of the nine divisions of the Census Bureau, or "Outlying areas", which belong to none."""
    income: int | None
    """Median household income in US dollars a year (2011-2013); None where the survey does not go."""


def find_state(zip_code: str) -> State | None:
    """The state of a ZIP code, given as 5 digits, ZIP+4 or 9 digits; None for anything else.

    A code that GeoNames lists is resolved exactly. One that it does not (retired, or never assigned) goes to the
    state of its first three digits, the sorting centre, if all listed codes that share them lie in one state. Field
    post offices (APO, FPO) lie in none. A foreign code of five digits cannot be told from a ZIP code.
    """
    found = _ZIP.fullmatch(zip_code.strip())
    if found is None:
        return None
    code = found[1]
    prefixes = _prefixes()
    return prefixes.get(code) or prefixes.get(code[:3])


@cache
def _prefixes() -> Mapping[str, State]:
    """By three digits where all codes with them lie in one state, by five where they do not."""
    states = {
        row["state"]: State(
            row["state"], row["name"], row["division"], int(row["income"]) if row["income"] else None
        )
        for row in read_table("states.csv")
    }
    return {row["prefix"]: states[row["state"]] for row in read_table("zip_states.csv")}
