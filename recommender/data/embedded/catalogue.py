"""The invented films: what a user sees of them, and what lies beneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

from recommender.data.embedded.streams import Purpose, stratified, stream
from recommender.data.embedded.themes import STYLES, THEMES, TONES
from recommender.data.embedded.titles import titles, year_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUALITY_SD = 0.68
_FAME_SPAN = 16.0
"""Log of how much better known the most than the least famous film is; sets the long tail."""
_FAME_BY_QUALITY = 0.6
"""Correlation of quality with the normal deviate behind fame."""
_SHELF_ITEMS = 16
_OLDEST, _NEWEST, _MEAN_AGE = 1930, 2000, 11.0


@dataclass(frozen=True)
class Catalogue:
    """I items and the hidden columns that made them."""

    items: pd.DataFrame
    """item_id, title, genres, description."""
    theme: NDArray[np.int64]
    """(I,) rows of THEMES; shows in genres, title and description."""
    tone: NDArray[np.int64]
    """(I,) rows of TONES; shows in the description only."""
    style: NDArray[np.int64]
    """(I,) visual styles; shows in the poster only."""
    quality: NDArray[np.float64]
    """(I,) how good the film is, for everyone."""
    popularity: NDArray[np.float64]
    """(I,) log of how much better known than others it is."""
    shelf: NDArray[np.int64]
    """(I,) which shelf of the store it stands on, among films of kindred theme; shows in what is watched in a row."""
    year: NDArray[np.int64]
    """(I,) year of release, as in the title."""


def draw_catalogue(seed: int, count: int) -> Catalogue:
    """`count` items. Theme, tone and style are independent, so each modality says what no other does."""
    content = stream(seed, Purpose.CONTENT)
    shares = np.array([theme.share for theme in THEMES])
    theme = np.searchsorted(np.cumsum(shares) / shares.sum(), stratified(content, count))
    tone = content.permutation(np.arange(count) % len(TONES))
    style = content.permutation(np.arange(count) % STYLES)
    years = _NEWEST - content.exponential(_MEAN_AGE, count).astype(np.int64)
    names = titles(stream(seed, Purpose.TITLES), theme, years.clip(_OLDEST, _NEWEST))
    appeal = stream(seed, Purpose.APPEAL)
    quality, rest = appeal.normal(size=(2, count))
    fame = ndtr(_FAME_BY_QUALITY * quality + np.sqrt(1 - _FAME_BY_QUALITY**2) * rest)
    return Catalogue(
        items=pd.DataFrame(
            {
                "item_id": [str(number) for number in range(1, count + 1)],
                "title": names,
                "genres": pd.Series([_genres(content, index) for index in theme], dtype=object),
                "description": [_description(content, *pair) for pair in zip(theme, tone, strict=True)],
            }
        ),
        theme=theme,
        tone=tone,
        style=style,
        quality=_QUALITY_SD * quality,
        # Even on the log scale: with a sixth of all pairs rated, a sharper head would be on everybody's list.
        popularity=_FAME_SPAN * (fame - 0.5),
        shelf=_shelves(appeal, theme),
        year=np.array([year_of(name) for name in names]),
    )


def _shelves(random: np.random.Generator, theme: NDArray[np.int64]) -> NDArray[np.int64]:
    """Items in order of theme, at random inside a theme, cut into shelves of sixteen."""
    order = np.lexsort((random.uniform(size=len(theme)), theme))
    shelf = np.empty(len(theme), dtype=np.int64)
    shelf[order] = np.arange(len(theme)) // _SHELF_ITEMS
    return shelf


def _genres(random: np.random.Generator, theme: int) -> tuple[str, ...]:
    """Each genre of the theme with its probability, at least one; in alphabetical order as in MovieLens."""
    genres = THEMES[theme].genres
    lucky = random.uniform(size=len(genres))
    kept = [name for (name, share), draw in zip(genres, lucky, strict=True) if draw < share]
    return tuple(sorted(kept)) or (genres[0][0],)


def _description(random: np.random.Generator, theme: int, tone: int) -> str:
    """Plot (theme), then manner (tone) in three of four places: one to three sentences."""

    def one_of(words: tuple[str, ...]) -> str:
        return words[random.integers(len(words))]

    what, how = THEMES[theme], TONES[tone]
    plot = f"{one_of(what.subjects)} {one_of(what.events)} {one_of(what.settings)}."
    first, second = (how.adjectives[i] for i in random.permutation(len(how.adjectives))[:2])
    closing = one_of(how.closings)
    article = "An" if first[0] in "aeiou" else "A"
    forms = (
        f"{article} {first}, {second} film, {closing}. {plot}",
        f"{plot} {first.capitalize()} and {second}, {closing}.",
        f"{plot[:-1]}: {first}, {second}, {closing}.",
        f"{plot} The telling is {first}. It is {second} throughout, {closing}.",
    )
    return one_of(forms)
