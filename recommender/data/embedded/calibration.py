"""How close the generated audience comes to the published aggregates of MovieLens-1M."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.data.embedded.census import AGES, GENDERS
from recommender.data.embedded.viewing import SHORTEST, STAR_SHARES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.data.dataset import Dataset


@dataclass(frozen=True)
class Row:
    """One aggregate: MovieLens-1M's, ours, and how far ours may lie from it."""

    name: str
    published: float
    measured: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """True within the tolerance."""
        return abs(self.measured - self.published) <= self.tolerance


def calibration(dataset: Dataset) -> tuple[Row, ...]:
    """Every calibrated aggregate of a dataset, measured the same way as on MovieLens-1M.

    History lengths are compared by their excess over the minimum of 20 in units of its mean, which does not
    depend on the size of the catalogue.
    """
    inter = dataset.interactions
    rating = inter.rating.astype(np.float64)
    per_user = np.bincount(inter.user, minlength=len(dataset.users))
    per_item = np.bincount(inter.item, minlength=len(dataset.items))
    sums = np.bincount(inter.item, rating, minlength=len(dataset.items))
    rated = per_item >= SHORTEST
    item_mean = sums[rated] / per_item[rated]
    user_mean = np.bincount(inter.user, rating) / per_user
    excess = (per_user - SHORTEST) / (per_user.mean() - SHORTEST)
    falling = np.sort(per_item)[::-1]
    half, tenth = len(falling) // 2, len(falling) // 10
    genres = dataset.items["genres"]
    star_rows = (
        Row(f"share of {star} stars", share, float((rating == star).mean()), 0.005)
        for star, share in enumerate(STAR_SHARES, start=1)
    )
    share_rows = (
        Row(f"share {label} = {value}", share, float((dataset.users[column] == value).mean()), 0.01)
        for column, label, shares in (("gender", "gender", GENDERS), ("age", "age", AGES))
        for value, share in shares.items()
    )
    genre_rows = (
        Row(f"items with genre {name}", share, float(np.mean([name in held for held in genres])), 0.07)
        for name, share in _GENRE_SHARES.items()
    )
    return (
        *star_rows,
        Row("mean rating", 3.582, float(rating.mean()), 0.02),
        Row("SD of ratings", 1.117, float(rating.std()), 0.02),
        Row("SD of user means", 0.430, float(user_mean.std()), 0.07),
        Row("SD of item means (20+ ratings)", 0.608, float(item_mean.std()), 0.09),
        Row("item mean ~ log(count), correlation", 0.345, _correlation(item_mean, per_item[rated]), 0.2),
        Row("shortest history", 20, float(per_user.min()), 0),
        Row("history excess, median / mean", 0.522, float(np.median(excess)), 0.06),
        Row("history excess, 90 % / mean", 2.610, float(np.quantile(excess, 0.9)), 0.35),
        Row("history excess, 99 % / mean", 6.091, float(np.quantile(excess, 0.99)), 1.0),
        Row("Gini of item counts", 0.634, gini(per_item), 0.09),
        Row("ratings on the top 10 % of items", 0.444, float(falling[:tenth].sum() / len(inter)), 0.13),
        Row("ratings on the lower half of items", 0.076, float(falling[half:].sum() / len(inter)), 0.04),
        *share_rows,
        Row("genres per item", 1.650, float(genres.map(len).mean()), 0.15),
        *genre_rows,
    )


def table(rows: tuple[Row, ...]) -> str:
    """The rows as a Markdown table."""
    lines = ["| aggregate | MovieLens-1M | embedded (synthetic) | tolerance | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.name} | {row.published:.3f} | {row.measured:.3f} | {row.tolerance:.3f} | {'ok' if row.ok else 'OFF'} |"
        for row in rows
    ]
    return "\n".join(lines)


def gini(counts: NDArray[np.int64]) -> float:
    """Gini coefficient of non-negative counts: 0 when all are equal, towards 1 when one holds everything."""
    rising = np.sort(counts)
    size = len(rising)
    rank = 2 * np.arange(1, size + 1) - size - 1
    return float((rank * rising).sum() / (size * rising.sum()))


def _correlation(means: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    return float(np.corrcoef(means, np.log(counts))[0, 1])


_GENRE_SHARES = {
    "Action": 0.130,
    "Adventure": 0.073,
    "Animation": 0.027,
    "Children's": 0.065,
    "Comedy": 0.309,
    "Crime": 0.054,
    "Documentary": 0.033,
    "Drama": 0.413,
    "Fantasy": 0.018,
    "Film-Noir": 0.011,
    "Horror": 0.088,
    "Musical": 0.029,
    "Mystery": 0.027,
    "Romance": 0.121,
    "Sci-Fi": 0.071,
    "Thriller": 0.127,
    "War": 0.037,
    "Western": 0.018,
}
