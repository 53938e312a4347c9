"""Whether interests are tastes: how often two items of a history that are routed to one interest share a genre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.insight import Insight


@dataclass(frozen=True)
class Agreement:
    """Shares of pairs of two items of one user's history that have a genre in common; None where there is no such pair."""

    same: float | None
    """Of pairs that are routed to the same interest."""
    other: float | None
    """Of pairs that are routed to different ones: what is shared anyway."""


def agreement(insights: Sequence[Insight], genres: Sequence[Sequence[str]]) -> Agreement:
    """Over all pairs of all histories; `genres` has a row for each item of the catalogue. An item goes where most of it is routed."""
    names = {name: number for number, name in enumerate(sorted({name for each in genres for name in each}))}
    table = np.zeros((len(genres), len(names)), dtype=np.float32)
    for row, each in enumerate(genres):
        table[row, [names[name] for name in each]] = 1
    shared, pairs = np.zeros(2), np.zeros(2)
    for insight in insights:
        mine, interest = table[insight.history], insight.routing.argmax(1)
        first, second = np.triu_indices(len(mine), 1)
        alike = (mine @ mine.T)[first, second] > 0
        other = (interest[first] != interest[second]).astype(np.int64)
        pairs += np.bincount(other, minlength=2)
        shared += np.bincount(other, alike, minlength=2)
    same, different = (
        float(part / whole) if whole else None for part, whole in zip(shared, pairs, strict=True)
    )
    return Agreement(same, different)
