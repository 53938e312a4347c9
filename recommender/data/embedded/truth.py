"""What was planted, so that a model can be held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from recommender.data.embedded.themes import STYLES, THEMES, TONES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.data.embedded.catalogue import Catalogue
    from recommender.data.embedded.people import Interests

_THEME, _TEXT, _VISUAL = 2.0, 0.6, 0.6
"""Weights of theme, tone and style in the match of an item with an interest."""
_KINSHIP = 0.35
"""How much of a theme's pull reaches a theme with the very same genres."""
_ERA, _ERA_YEARS = 0.7, 10.0
"""Weight and width of the pull of the years a person likes best."""
CHOICE = 3.2
"""How strongly the match with the active interest steers what is watched, against fame."""
_TASTE_IN_STARS = 0.45
"""Weight of personal taste against quality and leniency when a watched film is rated."""
NOISE_SD = 0.72
"""What a rating owes to the day it was given."""


@dataclass(frozen=True)
class GroundTruth:
    """The planted audience: U people, I items, and the exact model that made every choice and star."""

    interests: Interests
    catalogue: Catalogue
    thresholds: NDArray[np.float64]
    """(4,) appeal at which the star grows by one."""
    active: NDArray[np.int64]
    """(n,) the interest (0 to 2) behind each interaction of the dataset."""

    def match(
        self,
        user_rows: NDArray[np.int64],
        item_rows: NDArray[np.int64],
        *,
        text: bool = True,
        visual: bool = True,
    ) -> NDArray[np.float64]:
        """(A, 3, B) pull of each item on each interest; -inf where a person has no such interest.

        The pull is theme kinship + cos(tone) + cos(style) around their circles. `text` and `visual` False leave
        out what only the description or only the poster shows.
        """
        return match(self.interests, self.catalogue, user_rows, item_rows, text=text, visual=visual)

    def taste(
        self,
        user_rows: NDArray[np.int64],
        item_rows: NDArray[np.int64],
        *,
        text: bool = True,
        visual: bool = True,
    ) -> NDArray[np.float64]:
        """(A, B) personal pull: the best of the interests, max_k (match_k + log share_k). No single vector has it."""
        pull = self.match(user_rows, item_rows, text=text, visual=visual)
        share = np.log(np.maximum(self.interests.weight[user_rows], np.finfo(np.float64).tiny))
        best: NDArray[np.float64] = (pull + share[:, :, None]).max(axis=1)
        return best

    def propensity(
        self,
        user_rows: NDArray[np.int64],
        item_rows: NDArray[np.int64],
        *,
        text: bool = True,
        visual: bool = True,
    ) -> NDArray[np.float64]:
        """(A, B) log of how likely each person is to watch each item, but for a constant a person: taste and fame.

        Leaves out what only the moment decides: which interest is active, which shelf is near, what was seen.
        """
        taste = self.taste(user_rows, item_rows, text=text, visual=visual)
        propensity: NDArray[np.float64] = CHOICE * taste + self.catalogue.popularity[item_rows]
        return propensity

    def utility(
        self,
        user_rows: NDArray[np.int64],
        item_rows: NDArray[np.int64],
        *,
        text: bool = True,
        visual: bool = True,
    ) -> NDArray[np.float64]:
        """(A, B) the stars, 1 to 5, that each person would give each item on average.

        With appeal a and thresholds h: 1 + sum_s Phi((a - h_s) / sigma), the mean of an ordered probit.
        """
        appeal = stars_appeal(
            self.interests, self.catalogue, self.taste(user_rows, item_rows, text=text, visual=visual),
            user_rows[:, None], item_rows[None, :],
        )  # fmt: skip
        stars: NDArray[np.float64] = 1.0 + ndtr((appeal[..., None] - self.thresholds) / NOISE_SD).sum(axis=-1)
        return stars


def match(
    interests: Interests,
    catalogue: Catalogue,
    user_rows: NDArray[np.int64],
    item_rows: NDArray[np.int64],
    *,
    text: bool = True,
    visual: bool = True,
) -> NDArray[np.float64]:
    """See `GroundTruth.match`; the generator calls this before the truth is complete."""
    theme = interests.theme[user_rows]
    pull = _THEME * _kinship()[theme[:, :, None], catalogue.theme[item_rows]]
    if text:
        pull = pull + _TEXT * _circle(interests.tone[user_rows], catalogue.tone[item_rows], len(TONES))
    if visual:
        pull = pull + _VISUAL * _circle(interests.style[user_rows], catalogue.style[item_rows], STYLES)
    distance = (catalogue.year[item_rows] - interests.era[user_rows][:, None]) / _ERA_YEARS
    # Log-like beyond some twenty years, so that a classic stays possible for the young.
    pull = pull - _ERA * np.log1p(distance**2)[:, None, :]
    result: NDArray[np.float64] = np.where(theme[:, :, None] >= 0, pull, -np.inf)
    return result


def stars_appeal(
    interests: Interests,
    catalogue: Catalogue,
    taste: NDArray[np.float64],
    user_rows: NDArray[np.int64],
    item_rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """What decides the stars before noise: quality + leniency + taste, all arguments broadcast together."""
    appeal: NDArray[np.float64] = (
        catalogue.quality[item_rows] + interests.leniency[user_rows] + _TASTE_IN_STARS * taste
    )
    return appeal


def _circle(left: NDArray[np.int64], right: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    angle: NDArray[np.float64] = np.cos(2 * np.pi * (left[:, :, None] - right) / size)
    return angle


def _kinship() -> NDArray[np.float64]:
    """(T, T) 1 for the same theme, less for themes by how much their genres overlap (cosine)."""
    names = sorted({name for theme in THEMES for name, _ in theme.genres})
    genres = np.zeros((len(THEMES), len(names)))
    for row, theme in enumerate(THEMES):
        for name, share in theme.genres:
            genres[row, names.index(name)] = share
    genres /= np.sqrt((genres**2).sum(axis=1, keepdims=True))
    kinship: NDArray[np.float64] = _KINSHIP * (genres[:, None, :] * genres[None, :, :]).sum(axis=-1)
    np.fill_diagonal(kinship, 1.0)
    return kinship
