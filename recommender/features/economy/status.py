"""Economic status from geography and occupation (Eq. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.features.economy.places import find_state
from recommender.features.economy.wages import find_wage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def economic_scores(
    zip_codes: Sequence[str | None], occupations: Sequence[str | None]
) -> NDArray[np.float64]:
    """(U,) mean of the z-scores of the state's income and of the occupation's wage; NaN where neither is known.

    Eq. 2 reads e_u^e = f(e_u^g, e_u^o, k_ext) and leaves f open. Here k_ext is one table for each feature, and since
    their units differ (a household's income, a person's wage), each is standardised over the users who have it
    before the mean; who has one of the two is scored by that one.
    """
    states = [None if code is None else find_state(code) for code in zip_codes]
    incomes = [None if state is None else state.income for state in states]
    wages = [None if word is None else find_wage(word) for word in occupations]
    scores = np.column_stack([_standardised(incomes), _standardised(wages)])
    known = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(known, scores, 0).sum(axis=1) / known.sum(axis=1)
    return mean


def _standardised(values: Sequence[int | None]) -> NDArray[np.float64]:
    """z-scores over the known values, all 0 where these do not differ; NaN stays NaN."""
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    known = column[~np.isnan(column)]
    if not len(known):
        return column
    standardised: NDArray[np.float64] = (column - known.mean()) / (float(known.std()) or 1)
    return standardised
