"""From a seed to a small audience whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.data.dataset import DataError, Dataset, Interactions
from recommender.data.embedded.catalogue import draw_catalogue
from recommender.data.embedded.people import draw_interests, draw_people
from recommender.data.embedded.streams import Purpose, stream
from recommender.data.embedded.titles import TRAPS
from recommender.data.embedded.truth import NOISE_SD, GroundTruth, stars_appeal
from recommender.data.embedded.viewing import (
    LONGEST_SHARE,
    SHORTEST,
    draw_choices,
    draw_clock,
    history_sizes,
    star_thresholds,
)


@dataclass(frozen=True)
class EmbeddedAudience:
    """A generated dataset, what was planted in it, and the seed that made both."""

    dataset: Dataset
    truth: GroundTruth
    seed: int


def generate(seed: int = 0, users: int = 600, items: int = 400, ratings: int = 40_000) -> EmbeddedAudience:
    """The audience of `seed`: the same bytes for the same arguments, on every platform.

    Interactions stand by user, then time; stars are whole numbers 1 to 5. Raises DataError where the sizes cannot
    be had: everyone rates at least 20 items and at most 3/4 of them, and every trap title needs a place.
    """
    _check_sizes(seed, users, items, ratings)
    catalogue = draw_catalogue(seed, items)
    people = draw_people(stream(seed, Purpose.PEOPLE), users)
    interests = draw_interests(stream(seed, Purpose.INTERESTS), people)
    sizes = history_sizes(stream(seed, Purpose.HISTORIES), users, items, ratings)
    times, opens = draw_clock(stream(seed, Purpose.CLOCK), sizes)
    chosen, active = draw_choices(stream(seed, Purpose.CHOICES), interests, catalogue, sizes, opens)
    user = np.repeat(np.arange(users), sizes)

    draft = GroundTruth(interests, catalogue, np.zeros(4), active)
    taste = draft.taste(np.arange(users), np.arange(items))[user, chosen]
    appeal = stars_appeal(interests, catalogue, taste, user, chosen)
    noisy = appeal + stream(seed, Purpose.STARS).normal(0.0, NOISE_SD, ratings)
    thresholds = star_thresholds(noisy)
    stars = 1 + (noisy[:, None] > thresholds).sum(axis=1)

    return EmbeddedAudience(
        dataset=Dataset(
            name="embedded",
            synthetic=True,
            domain="movies",
            users=people,
            items=catalogue.items,
            interactions=Interactions(
                user.astype(np.int32),
                chosen.astype(np.int32),
                stars.astype(np.float32),
                times.astype(np.int64),
            ),
        ),
        truth=GroundTruth(interests, catalogue, thresholds, active),
        seed=seed,
    )


def _check_sizes(seed: int, users: int, items: int, ratings: int) -> None:
    if seed < 0:
        raise DataError(f"seed {seed}: give a whole number from 0 up")
    if items < 2 * len(TRAPS):
        raise DataError(f"{items} items: the embedded catalogue needs at least {2 * len(TRAPS)}")
    # The least active person keeps the shortest history, whatever the others do.
    least, most = users * SHORTEST, SHORTEST + (users - 1) * int(LONGEST_SHARE * items)
    if users < 2 or not least <= ratings <= most:
        raise DataError(
            f"{ratings} ratings cannot be shared among {users} users of {items} items; "
            f"give two users or more, and from {least} to {most} ratings"
        )
