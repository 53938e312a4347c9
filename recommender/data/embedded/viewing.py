"""Who watched what, when, and what they thought of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from recommender.data.embedded.people import MAX_INTERESTS
from recommender.data.embedded.streams import stratified
from recommender.data.embedded.truth import CHOICE, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recommender.data.embedded.catalogue import Catalogue
    from recommender.data.embedded.people import Interests

SHORTEST = 20
"""Ratings of the least active person, as in MovieLens-1M."""
LONGEST_SHARE = 0.75
"""Nobody rates more than this share of the catalogue."""
STAR_SHARES = (0.056, 0.108, 0.261, 0.349, 0.226)
"""Published shares of 1 to 5 stars in MovieLens-1M."""

_ACTIVITY_SIGMA = 1.14
"""Lognormal spread of the ratings beyond SHORTEST; gives MovieLens-1M's median / mean of that excess, .52."""
_SWITCH = 0.02
"""Chance to turn to another interest between two films of one evening."""
_SWITCH_SESSION = 0.2
"""The same between two sessions."""
_STAY_ON_SHELF = 0.85
"""Chance that the next film comes from the same shelf as the last one."""
_REACH = 0.15
"""How far ahead of its turn a film is taken from the shelf, as a share of the catalogue."""
_SESSION_ITEMS = 16
_OPENS, _CLOSES = 956_700_000, 1_046_400_000
"""2000-04-25 and 2003-02-28 UTC, the period of MovieLens-1M."""
_DAY = 86_400


def history_sizes(random: np.random.Generator, users: int, items: int, ratings: int) -> NDArray[np.int64]:
    """(users,) heavy-tailed numbers of ratings that sum to `ratings` exactly, each from 20 to 3/4 of the items."""
    longest = int(LONGEST_SHARE * items)
    weight = np.exp(_ACTIVITY_SIGMA * ndtri(stratified(random, users)))
    weight -= weight.min()
    low, high = 0.0, 2.0 * longest / np.partition(weight, 1)[1]
    for _ in range(80):
        middle = (low + high) / 2
        if np.minimum(longest, SHORTEST + middle * weight).sum() < ratings:
            low = middle
        else:
            high = middle
    exact = np.minimum(longest, SHORTEST + low * weight)
    sizes: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    # Largest remainders take what the floors left over.
    order = np.argsort(sizes - exact, kind="stable")
    sizes[order[: ratings - sizes.sum()]] += 1
    return sizes


def draw_choices(
    random: np.random.Generator,
    interests: Interests,
    catalogue: Catalogue,
    sizes: NDArray[np.int64],
    sessions: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) items and (n,) active interests, by user and in the order watched.

    One interest is active for a run of films, then another by shares that drift over the history. Under interest k
    the next film is drawn from those not yet seen with probability proportional to exp(fame + match_k): each
    interest keeps its own Gumbel-perturbed order (Plackett-Luce), from which seen films are skipped. Often the
    draw is narrowed to the shelf of the film before.
    """
    items = len(catalogue.items)
    everything = np.arange(items)
    reach = int(_REACH * items)
    shelf = catalogue.shelf.tolist()
    shelves = [np.flatnonzero(catalogue.shelf == row).tolist() for row in range(catalogue.shelf.max() + 1)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    chosen = np.empty(starts[-1], dtype=np.int64)
    active = np.empty(starts[-1], dtype=np.int64)
    for user, size in enumerate(sizes.tolist()):
        own = slice(starts[user], starts[user + 1])
        pull = CHOICE * match(interests, catalogue, np.array([user]), everything)[0] + catalogue.popularity
        queues = np.argsort(-(pull + random.gumbel(size=pull.shape)), axis=1, kind="stable")
        places = np.argsort(queues, axis=1).tolist()
        queues = queues.tolist()
        draws = random.uniform(size=(size, 3))
        runs = _active_runs(draws[:, :2], interests.early[user], interests.late[user], sessions[own])
        stays = (~sessions[own] & (draws[:, 2] < _STAY_ON_SHELF)).tolist()
        seen = [False] * items
        heads = [0] * MAX_INTERESTS
        watched: list[int] = []
        for interest, stay in zip(runs, stays, strict=True):
            queue, place = queues[interest], places[interest]
            while seen[queue[heads[interest]]]:
                heads[interest] += 1
            item = queue[heads[interest]]
            if stay:
                near = [other for other in shelves[shelf[watched[-1]]] if not seen[other]]
                best = min(near, key=place.__getitem__, default=item)
                # Not everything on the shelf will do: it must have been coming up anyway.
                if place[best] < place[item] + reach:
                    item = best
            seen[item] = True
            watched.append(item)
        chosen[own] = watched
        active[own] = runs
    return chosen, active


def draw_clock(
    random: np.random.Generator, sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n,) strictly rising seconds by user, and (n,) True where a session starts.

    Sessions are bursts of about sixteen ratings a few seconds to two minutes apart, days to months between them.
    """
    total = int(sizes.sum())
    first = np.zeros(total, dtype=np.bool_)
    first[np.cumsum(sizes) - sizes] = True
    opens = first | (random.uniform(size=total) < 1 / _SESSION_ITEMS)
    pause = np.where(opens, _DAY * np.exp(random.normal(2.0, 1.4, total)), random.uniform(8, 120, total))
    pause[first] = 0.0
    gaps = pause.astype(np.int64) + ~first
    owner = np.repeat(np.arange(len(sizes)), sizes)
    elapsed = np.cumsum(gaps)
    elapsed -= elapsed[first][owner]
    span = elapsed[np.cumsum(sizes) - 1]
    # The last day is kept free: who would run past the close has all pauses between sessions shortened alike.
    room = _CLOSES - _OPENS - _DAY
    long_pause = np.bincount(owner, np.where(opens, gaps, 0)).astype(np.int64)
    over = np.maximum(span - room, 0)
    shrink = 1.0 - over / np.maximum(long_pause, 1)
    gaps = np.where(opens & ~first, np.floor(gaps * shrink[owner]).astype(np.int64), gaps)
    elapsed = np.cumsum(gaps)
    elapsed -= elapsed[first][owner]
    span = elapsed[np.cumsum(sizes) - 1]
    # Most join early, as the registrations of 2000 did.
    arrival = _OPENS + (random.beta(1.0, 3.0, len(sizes)) * (_CLOSES - _OPENS - span)).astype(np.int64)
    return arrival[owner] + elapsed, opens


def star_thresholds(appeal: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) cuts of the noisy appeal (n,) that give the published star shares."""
    cuts: NDArray[np.float64] = np.quantile(appeal, np.cumsum(STAR_SHARES)[:-1])
    return cuts


def _active_runs(
    draws: NDArray[np.float64],
    early: NDArray[np.float64],
    late: NDArray[np.float64],
    opens: NDArray[np.bool_],
) -> list[int]:
    """The active interest at each of `len(draws)` steps."""
    progress = (np.arange(len(draws)) / max(len(draws) - 1, 1))[:, None]
    shares = np.cumsum((1 - progress) * early + progress * late, axis=1)
    present = int((early > 0).sum())
    fresh = np.minimum((draws[:, 1:] >= shares).sum(axis=1), present - 1)
    switch = draws[:, 0] < np.where(opens, _SWITCH_SESSION, _SWITCH)
    switch[0] = True
    last_switch = np.maximum.accumulate(np.where(switch, np.arange(len(draws)), 0))
    runs: list[int] = fresh[last_switch].tolist()
    return runs
