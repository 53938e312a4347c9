"""Do features tell anything about items? Their nearest neighbours should share genres more often than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from recommender.features.modality import Modality

_ROWS = 1024
"""Rows of the similarity matrix held at a time."""


@dataclass(frozen=True)
class NeighbourOverlap:
    """Mean Jaccard overlap of genres, |A and B| / |A or B|, over pairs of items."""

    neighbours: float
    """Between an item and its k nearest by cosine."""
    random: float
    """Between an item and k others drawn at random."""
    items: int
    """Items that have both the modality and a genre; no other takes part."""
    k: int

    @property
    def ratio(self) -> float:
        """How many times chance; infinite where random pairs share nothing."""
        return self.neighbours / self.random if self.random else float("inf")


def neighbour_overlap(
    modality: Modality, genres: Sequence[Sequence[str]], k: int = 10, seed: int = 0
) -> NeighbourOverlap:
    """Exact neighbours, in blocks of rows; an item is not its own neighbour. DataError for fewer than k + 1 usable items."""
    if len(genres) != len(modality.present):
        raise DataError(
            f"{modality.name}: features of {len(modality.present)} items, genres of {len(genres)}"
        )
    usable = modality.present.cpu() & torch.tensor([bool(each) for each in genres], dtype=torch.bool)
    rows = usable.nonzero()[:, 0].tolist()
    if k < 1 or len(rows) <= k:
        raise DataError(
            f"{modality.name}: {len(rows)} items with features and genres, no {k} neighbours each"
        )
    names = sorted({genre for row in rows for genre in genres[row]})
    column = {genre: number for number, genre in enumerate(names)}
    has = torch.zeros(len(rows), len(names))
    for number, row in enumerate(rows):
        has[number, [column[genre] for genre in genres[row]]] = 1
    vectors = modality.vectors[rows].cpu()
    random = np.random.default_rng(seed)
    near, chance = 0.0, 0.0
    for block in torch.arange(len(rows)).split(_ROWS):
        similar = vectors[block] @ vectors.T
        similar[torch.arange(len(block)), block] = -torch.inf
        near += float(_jaccard(has, block, similar.topk(k).indices).sum())
        # One of the others: numbers from the item's own on move up by one.
        drawn = torch.from_numpy(random.integers(len(rows) - 1, size=(len(block), k)))
        chance += float(_jaccard(has, block, drawn + (drawn >= block[:, None])).sum())
    pairs = len(rows) * k
    return NeighbourOverlap(near / pairs, chance / pairs, len(rows), k)


def _jaccard(has: Tensor, block: Tensor, others: Tensor) -> Tensor:
    """(b, k) overlaps of the items `block` with `others` (b, k)."""
    both = torch.einsum("bg,bkg->bk", has[block], has[others]).double()
    return both / (has[block].sum(1)[:, None] + has[others].sum(2) - both)
