"""From the word that a data set has for an occupation to what the occupation pays."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from recommender.features.economy.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping


def find_wage(occupation: str) -> int | None:
    """Mean annual wage in US dollars (OES, May 2013), in whatever case the word is written.

    None for an occupation without a wage of its own (students, retired people, the self-employed: the table says
    why) and for a word that the table does not have.
    """
    return _wages().get(occupation.strip().lower())


@cache
def _wages() -> Mapping[str, int]:
    return {
        row["occupation"].lower(): int(row["annual_mean_wage"])
        for row in read_table("wages.csv")
        if row["annual_mean_wage"]
    }
