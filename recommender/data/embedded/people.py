"""The simulated people: profiles with MovieLens-1M's shares, and the interests that profiles shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.data.embedded.census import AGES, FIRST_NAMES, GENDERS, OCCUPATIONS, STATE_PREFIXES
from recommender.data.embedded.streams import stratified
from recommender.data.embedded.themes import AGE_BANDS, STYLES, THEMES, TONES, Theme, Tone

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_INTERESTS = 3
_INTEREST_COUNT = (0.2, 0.4, 0.4)
"""Shares of people with one, two and three interests."""
_OCCUPATION_LEAN = 1.4
"""Log-odds an occupation adds to the themes that name it."""
_LEAN = 2.4
"""Scale of the gender and age shifts of themes.py, in log-odds."""
_LENIENCY_SD = 0.38

# Which ages an occupation admits; those not named admit the working ages.
_STUDENT_AGES = {
    "K-12 student": (1, 0.02, 0, 0, 0, 0, 0),
    "college/grad student": (0.02, 1, 0.5, 0.1, 0, 0, 0),
}
_RETIRED_AGES = (0, 0, 0, 0.01, 0.02, 0.15, 1)
_WORKING_AGES = (0.01, 0.5, 1, 1, 1, 1, 0.6)
_UNSTATED_AGES = (0.6, 1, 1, 1, 1, 1, 1)
_HOMEMAKER_WOMEN = 8.0


@dataclass(frozen=True)
class Interests:
    """What each of U people cares for: up to three prototypes (theme, tone, style), absent ones -1 with weight 0."""

    theme: NDArray[np.int64]
    """(U, 3) rows of THEMES; the themes of one person differ."""
    tone: NDArray[np.int64]
    """(U, 3) rows of TONES."""
    style: NDArray[np.int64]
    """(U, 3) visual styles."""
    early: NDArray[np.float64]
    """(U, 3) share of each interest when the person's history starts; rows sum to 1."""
    late: NDArray[np.float64]
    """(U, 3) the same when it ends: interests drift from the one to the other."""
    leniency: NDArray[np.float64]
    """(U,) how much kinder than others the person rates."""
    era: NDArray[np.float64]
    """(U,) the year whose films the person likes best, later for the young."""

    @property
    def weight(self) -> NDArray[np.float64]:
        """(U, 3) share of each interest over the whole history."""
        return (self.early + self.late) / 2


def draw_people(random: np.random.Generator, count: int) -> pd.DataFrame:
    """`count` rows with user_id, name, gender, age, occupation (None where not stated) and zip."""
    joint = _joint_shares()
    cells = np.searchsorted(np.cumsum(joint.ravel()) / joint.sum(), stratified(random, count))
    gender, age, occupation = np.unravel_index(cells, joint.shape)
    genders = [tuple(GENDERS)[i] for i in gender]
    occupations = tuple(OCCUPATIONS)
    return pd.DataFrame(
        {
            "user_id": [str(number) for number in range(1, count + 1)],
            "name": [FIRST_NAMES[sex][random.integers(len(FIRST_NAMES[sex]))] for sex in genders],
            "gender": genders,
            "age": [AGE_BANDS[i] for i in age],
            # object, so that a missing occupation stays None and does not become NaN
            "occupation": pd.Series([occupations[i] for i in occupation], dtype=object),
            "zip": _zips(random, count),
        }
    )


def theme_shares(people: pd.DataFrame) -> NDArray[np.float64]:
    """(U, T) probability that a person's first interest is each theme, given gender, age and occupation."""
    logits = np.log([theme.share for theme in THEMES]) + _leaning(people, THEMES)
    for column, theme in enumerate(THEMES):
        logits[:, column] += _OCCUPATION_LEAN * people["occupation"].isin(theme.occupations).to_numpy()
    return _softmax(logits)


def tone_shares(people: pd.DataFrame) -> NDArray[np.float64]:
    """(U, number of tones) probability that a person wants an interest told in each tone, given gender and age."""
    return _softmax(_leaning(people, TONES))


def draw_interests(random: np.random.Generator, people: pd.DataFrame) -> Interests:
    """Themes without replacement by `theme_shares`, tones by `tone_shares`, styles at random."""
    count = len(people)
    shape = (count, MAX_INTERESTS)
    size = 1 + np.searchsorted(np.cumsum(_INTEREST_COUNT)[:-1], stratified(random, count), side="right")
    present = np.arange(MAX_INTERESTS) < size[:, None]
    # Gumbel top-k is sampling without replacement by these shares.
    keys = np.log(theme_shares(people)) + random.gumbel(size=(count, len(THEMES)))
    themes = np.argsort(-keys, axis=1, kind="stable")[:, :MAX_INTERESTS]

    wanted = np.cumsum(tone_shares(people), axis=1)
    tones = (random.uniform(size=shape)[:, :, None] > wanted[:, None, :-1]).sum(axis=-1)

    def drift() -> NDArray[np.float64]:
        raw: NDArray[np.float64] = np.where(present, 0.25 + random.gamma(1.0, size=shape), 0.0)
        raw /= raw.sum(axis=1, keepdims=True)
        return raw

    return Interests(
        theme=np.where(present, themes, -1),
        tone=np.where(present, tones, -1),
        style=np.where(present, random.integers(STYLES, size=shape), -1),
        early=drift(),
        late=drift(),
        leniency=random.normal(0.0, _LENIENCY_SD, count),
        era=1985.0 + 12.0 * _youth(people) + random.normal(0.0, 4.0, count),
    )


def _youth(people: pd.DataFrame) -> NDArray[np.float64]:
    """(U,) +1 for the youngest band to -1 for the oldest."""
    place = people["age"].map({band: i for i, band in enumerate(AGE_BANDS)}).to_numpy(dtype=np.float64)
    return 1.0 - 2.0 * place / (len(AGE_BANDS) - 1)


def _leaning(people: pd.DataFrame, of: tuple[Theme, ...] | tuple[Tone, ...]) -> NDArray[np.float64]:
    """(U, len(of)) log-odds that gender and age add."""
    woman = np.where(people["gender"].to_numpy() == "F", 1.0, -1.0)[:, None]
    youth = _youth(people)[:, None]
    leaning: NDArray[np.float64] = _LEAN * (
        woman * np.array([each.female for each in of]) + youth * np.array([each.youth for each in of])
    )
    return leaning


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _joint_shares() -> NDArray[np.float64]:
    """(gender, age, occupation) shares with the published margins and no schoolboys of sixty.

    Iterative proportional fitting (Deming and Stephan, 1940) of the plausible cells to the three margins.
    """
    joint = np.empty((len(GENDERS), len(AGES), len(OCCUPATIONS)))
    for column, occupation in enumerate(OCCUPATIONS):
        if occupation is None:
            ages: tuple[float, ...] = _UNSTATED_AGES
        elif occupation == "retired":
            ages = _RETIRED_AGES
        else:
            ages = _STUDENT_AGES.get(occupation, _WORKING_AGES)
        joint[:, :, column] = ages
        if occupation == "homemaker":
            joint[0, :, column] *= _HOMEMAKER_WOMEN
    margins = [np.array(list(table.values())) for table in (GENDERS, AGES, OCCUPATIONS)]
    for _ in range(60):
        for axis, margin in enumerate(margins):
            others = tuple(other for other in range(3) if other != axis)
            shape = [1, 1, 1]
            shape[axis] = -1
            joint *= (margin / margin.sum() / joint.sum(axis=others)).reshape(shape)
    return joint


def _zips(random: np.random.Generator, count: int) -> list[str]:
    weights = np.array([weight for weight, _ in STATE_PREFIXES.values()])
    prefixes = [places.split() for _, places in STATE_PREFIXES.values()]
    states = np.searchsorted(np.cumsum(weights) / weights.sum(), stratified(random, count))
    return [
        f"{prefixes[state][random.integers(len(prefixes[state]))]}{random.integers(1, 12):02d}"
        for state in states
    ]
