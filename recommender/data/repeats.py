"""Logs in which a user meets an item again and again: one interaction of each pair is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.data.skipping import SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recommender.data.dataset import Interactions
    from recommender.data.skipping import Skips


def keep_earliest(
    interactions: Interactions,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    places: Callable[[Sequence[int]], Sequence[str]],
    skips: Skips,
) -> Interactions:
    """The interactions without repeats: of each user and item the earliest one, and of one time the first row.

    The order of rows stays. What goes is counted in `skips` as repeated; `places` says where rows (increasing numbers)
    stand, such as file:line.
    """
    pair = interactions.user * np.int64(len(item_ids)) + interactions.item
    ordered = np.sort(pair)
    if not (ordered[1:] == ordered[:-1]).any():
        return interactions
    order = np.lexsort((interactions.time, pair))
    np.take(pair, order, out=ordered)
    again = np.concatenate([[False], ordered[1:] == ordered[:-1]])
    later = np.sort(order[again])
    shown = later[:SHOWN].tolist()
    firsts = [int(order[np.searchsorted(ordered, pair[row])]) for row in shown]
    numbers = sorted({*shown, *firsts})
    place = dict(zip(numbers, places(numbers), strict=True))
    messages = [
        f"{place[row]}: user {user_ids[interactions.user[row]]} and item {item_ids[interactions.item[row]]} stand "
        f"together, at an earlier or the same time, at {place[first]}"
        for row, first in zip(shown, firsts, strict=True)
    ]
    skips.repeated(messages, len(later))
    kept = np.ones(len(interactions), dtype=bool)
    kept[later] = False
    return interactions.take(kept)
