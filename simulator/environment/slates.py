"""From an action to the slate that is put before a user: the rule for places that hold what may not be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ActionError(ValueError):
    """An action is no slate; the message says what is wrong with it and what to do."""


class Slate(NamedTuple):
    """What is put before a user."""

    items: tuple[int, ...]
    """Item numbers, best first; fewer than the action has places only where nothing else is left to show."""
    repaired: int
    """Places of the action that held what may not be shown."""


def slate_of(action: NDArray[np.int64], mask: NDArray[np.bool_], size: int, *, repair: bool) -> Slate:
    """The slate of `size` places that `action` means, where `mask` (I,) says which items may be shown.

    An item that may not be shown, or that stands in an earlier place too, gives way to the next one by number, after the last
    the first, that may be shown and stands nowhere in the slate; where none is left its place falls away. Item numbers say
    nothing of items, so a repair is worth a blind guess. Raises ActionError for what is outside of the action space, and
    without `repair` for an item that would have to give way.
    """
    wanted = np.asarray(action)
    if wanted.shape != (size,) or not np.issubdtype(wanted.dtype, np.integer):
        raise ActionError(
            f"an action is {size} item numbers, not {wanted.dtype} of the shape {wanted.shape}; see action_space"
        )
    if ((wanted < 0) | (wanted >= len(mask))).any():
        raise ActionError(f"the action {wanted.tolist()} holds numbers outside of 0 to {len(mask) - 1}")
    free = mask.copy()
    kept: list[int | None] = []
    for item in wanted.tolist():
        kept.append(item if free[item] else None)
        free[item] = False
    holes = sum(item is None for item in kept)
    if holes and not repair:
        wrong = [item for item, place in zip(wanted.tolist(), kept, strict=True) if place is None]
        raise ActionError(
            f"items {wrong} were had or shown before, or stand twice in the slate {wanted.tolist()}; take items where the "
            "observation's action_mask is 1, each once, or make the environment with invalid='repair'"
        )
    for place, item in enumerate(kept):
        left = np.flatnonzero(free) if item is None else ()
        if len(left):
            following = int(left[np.searchsorted(left, wanted[place]) % len(left)])
            kept[place] = following
            free[following] = False
    return Slate(tuple(item for item in kept if item is not None), holes)
