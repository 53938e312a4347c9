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
    place: Callable[[int], str],
    skips: Skips,
) -> Interactions:
    """The interactions without repeats: of each user and item the earliest one, and of one time the first row.

    The order of rows stays. What goes is counted in `skips` as repeated; `place` says where a row stands (file:line).
    """
    pair = interactions.user.astype(np.int64) * len(item_ids) + interactions.item
    order = np.lexsort((interactions.time, pair))
    pair = pair[order]
    again = pair[1:] == pair[:-1]
    if not again.any():
        return interactions
    later = np.sort(order[1:][again])

    def message(row: int) -> str:
        user, item = int(interactions.user[row]), int(interactions.item[row])
        first = int(order[np.searchsorted(pair, user * len(item_ids) + item)])
        return (
            f"{place(row)}: user {user_ids[user]} and item {item_ids[item]} stand together, at an earlier or the same "
            f"time, at {place(first)}"
        )

    skips.repeated([message(row) for row in later[:SHOWN].tolist()], len(later))
    kept = np.ones(len(interactions), dtype=bool)
    kept[later] = False
    return interactions.take(kept)
