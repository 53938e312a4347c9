"""User profiles as labels: demographics as given, economic status from them (Eq. 2), behaviour from the history (Eq. 3).

Demographics and economic status read the table of users alone, no interaction. The bin edges and item statistics of
behaviour come from train alone; the labels of a user come from the history one passes, so a truncated history (cold
start) gives the labels that a new user would have. Acceptance of new items needs a clock that users share: where times
are places in each user's history (Amazon Beauty as atomic files) it would be activity turned round (rank correlation
-0.94), and is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.features.economy import economic_scores, find_state

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from recommender.data.dataset import Dataset, Interactions

UNKNOWN = 0
"""The label of a missing field or of a user without history."""
ECONOMIC_STATUS = "economic_status"
BEHAVIOURS = ("activity", "popularity_taste", "leniency", "genre_breadth", "novelty_acceptance")
ENHANCEMENTS = (ECONOMIC_STATUS, *BEHAVIOURS)
"""The fields that no source gives; all have the labels of LEVELS."""
LEVELS = ("unknown", "low", "medium", "high")
_BINS = 3
_AGE_EDGES = (18, 25, 35, 45, 50, 56)


@dataclass(frozen=True)
class Field:
    """One profile field and its labels; label 0 is always "unknown"."""

    name: str
    labels: tuple[str, ...]


class ProfileLabels:
    """Fitted on the users' table and train; `labels` turns any history into a label table."""

    def __init__(self, dataset: Dataset, train: Interactions) -> None:
        self._users = len(dataset.users)
        self._clock = dataset.clock
        self._count = np.bincount(train.item, minlength=len(dataset.items)).astype(np.float64)
        self._first_seen = np.full(len(dataset.items), np.iinfo(np.int64).max)
        np.minimum.at(self._first_seen, train.item, train.time)
        genres = sorted({genre for row in dataset.items["genres"] for genre in row})
        number = {genre: n for n, genre in enumerate(genres)}
        self._genres = np.zeros((len(dataset.items), len(genres)), dtype=np.float64)
        for item, row in enumerate(dataset.items["genres"]):
            self._genres[item, [number[genre] for genre in row]] = 1
        columns: list[NDArray[np.int64]] = []
        fields: list[Field] = []
        for name, values in _demographics(dataset.users).items():
            known = sorted({value for value in values if value is not None})
            index = {value: n + 1 for n, value in enumerate(known)}
            columns.append(np.array([UNKNOWN if value is None else index[value] for value in values]))
            fields.append(Field(name, ("unknown", *known)))
        status = _economic_status(dataset.users)
        if (status != UNKNOWN).any():
            columns.append(status)
            fields.append(Field(ECONOMIC_STATUS, LEVELS))
        self._fixed = np.array(columns, dtype=np.int64).T.reshape(self._users, len(columns))
        statistics = self._statistics(train)
        self._edges = [_quantiles(column[~np.isnan(column)]) for column in statistics.T]
        fields.extend(Field(name, LEVELS) for name in BEHAVIOURS)
        self.fields = tuple(fields)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of labels of each field, the unknown one included."""
        return tuple(len(field.labels) for field in self.fields)

    def labels(self, history: Interactions) -> Tensor:
        """(U, F) int64 labels of all users given their history."""
        behaviour = np.zeros((self._users, len(BEHAVIOURS)), dtype=np.int64)
        for n, (column, edges) in enumerate(zip(self._statistics(history).T, self._edges, strict=True)):
            behaviour[:, n] = _levels(column, edges)
        return torch.from_numpy(np.concatenate([self._fixed, behaviour], axis=1))

    def _statistics(self, history: Interactions) -> NDArray[np.float64]:
        """(U, 5) in the order of BEHAVIOURS; NaN for users without history."""
        user, item = history.user, history.item
        size = np.bincount(user, minlength=self._users).astype(np.float64)
        size[size == 0] = np.nan

        def mean(value: NDArray[np.float64], where: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
            chosen = slice(None) if where is None else where
            total = np.bincount(user[chosen], value[chosen], minlength=self._users)
            n = size if where is None else np.bincount(user[where], minlength=self._users).astype(np.float64)
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.where(n > 0, total / n, np.nan)

        # One genre at a time: all at once would be a table of interactions x genres.
        genre_counts = np.zeros((self._users, self._genres.shape[1]))
        for column, of_genre in enumerate(self._genres.T):
            genre_counts[:, column] = np.bincount(user, of_genre[item], minlength=self._users)
        share = genre_counts / np.maximum(genre_counts.sum(1, keepdims=True), 1)
        entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(1)
        rating = history.rating.astype(np.float64)
        known = (self._count[item] > 0) & self._clock
        age_of_item = np.where(known, history.time - self._first_seen[item], 0).astype(np.float64)
        return np.column_stack(
            [
                size,
                mean(np.log1p(self._count[item])),
                # What an audience accepted in simulation has no rating.
                mean(np.nan_to_num(rating), ~np.isnan(rating)),
                np.where(np.isnan(size), np.nan, entropy),
                -mean(age_of_item, known),
            ]
        )


def _quantiles(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """The edges between equally full bins; NaN where there is nothing to divide."""
    if not len(column):
        return np.full(_BINS - 1, np.nan)
    edges: NDArray[np.float64] = np.quantile(column, np.arange(1, _BINS) / _BINS)
    return edges


def _levels(column: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Labels of LEVELS; unknown where the value or the edges are NaN.

    A value on an edge is above it, and one on all edges (all users alike) is in the middle.
    """
    levels = -(-(np.searchsorted(edges, column, "left") + np.searchsorted(edges, column, "right")) // 2) + 1
    return np.where(np.isnan(column) | np.isnan(edges[0]), UNKNOWN, levels)


def _demographics(users: pd.DataFrame) -> dict[str, list[str | None]]:
    """The fields the data have, as words; those that say nothing of anybody are none.

    Region is the Census division of a US ZIP code: nine groups of neighbouring states, each with enough users of
    MovieLens-1M to be learnt (a first digit of the code would put New York beside Puerto Rico).
    """
    found = {name: _words(users, name) for name in ("gender", "occupation", "age")}
    found["age"] = [None if age is None else _age_band(age) for age in found["age"]]
    states = [None if code is None else find_state(code) for code in _words(users, "zip")]
    found["region"] = [None if state is None else state.division for state in states]
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def _economic_status(users: pd.DataFrame) -> NDArray[np.int64]:
    """(U,) terciles of the economic scores as labels of LEVELS (Eq. 2)."""
    scores = economic_scores(_words(users, "zip"), _words(users, "occupation"))
    return _levels(scores, _quantiles(scores[~np.isnan(scores)]))


def _words(users: pd.DataFrame, name: str) -> list[str | None]:
    """A column of the users' table; None for all where the data have no such column."""
    if name not in users:
        return [None] * len(users)
    return [value if isinstance(value, str) and value else None for value in users[name]]


def _age_band(age: str) -> str:
    """MovieLens-1M's bands; a number is put into its band."""
    if not age.isdigit():
        return age
    edge = max((e for e in _AGE_EDGES if int(age) >= e), default=None)
    if edge is None:
        return "Under 18"
    if edge == _AGE_EDGES[-1]:
        return "56+"
    return f"{edge}-{_AGE_EDGES[_AGE_EDGES.index(edge) + 1] - 1}"
