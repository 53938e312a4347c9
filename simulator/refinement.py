"""From 2N candidates and a verdict to the N that are shown (the paper's "2x" strategy, section III-D)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Protocol

import numpy as np

from agents.randomness import keyed_generator
from recommender.metrics import ranking_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.transcript.turns import Turn


class RefinementError(ValueError):
    """A policy broke its contract; the message says which and how."""


class Refinement(Protocol):
    """A policy: a function of its arguments alone."""

    def refine(self, scores: Sequence[float], levels: Sequence[Sequence[int]], n: int) -> tuple[int, ...]:
        """The `n` places of the slate to show, best first.

        `scores` are the recommender's, best first; `levels` divide all places of the slate into groups of falling
        preference, the places of one group in slate order.
        """
        ...


@dataclass(frozen=True)
class Replace:
    """The agent's order alone; within a level the recommender's."""

    def refine(self, scores: Sequence[float], levels: Sequence[Sequence[int]], n: int) -> tuple[int, ...]:
        """The first n places, level by level."""
        return tuple(chain.from_iterable(levels))[:n]


@dataclass(frozen=True)
class Fuse:
    """The agent's order as a correction: (1 - weight) z(score) + weight z(-rank), ties in slate order.

    z standardises within the slate, so the weight means the same for every model and slate; a rank shared by a level
    is its mean.
    """

    weight: float

    def refine(self, scores: Sequence[float], levels: Sequence[Sequence[int]], n: int) -> tuple[int, ...]:
        """The n best by fused score."""
        fused = [(1 - self.weight) * value for value in _standardised(scores)]
        ranks = _standardised_ranks(tuple(map(len, levels)))
        for level, rank in zip(levels, ranks, strict=True):
            for place in level:
                fused[place] -= self.weight * rank
        return tuple(sorted(range(len(fused)), key=lambda place: -fused[place])[:n])


@lru_cache(maxsize=1 << 10)
def _standardised_ranks(sizes: tuple[int, ...]) -> tuple[float, ...]:
    """The standardised rank of each level, from the sizes of the levels."""
    ranks: list[float] = []
    for size in sizes:
        ranks += [len(ranks) + (size - 1) / 2] * size
    standardised = _standardised(ranks)
    starts = accumulate(sizes, initial=0)
    return tuple(standardised[start] for start, _ in zip(starts, sizes, strict=False))


def _standardised(values: Sequence[float]) -> list[float]:
    # By hand: arrays of twenty numbers cost more to make than to compute with, and there are several for each turn. Sums are exact,
    # so no two machines order a slate differently.
    if not values:
        return []
    mean = math.fsum(values) / len(values)
    centred = [value - mean for value in values]
    spread = math.sqrt(math.fsum(value * value for value in centred) / len(values))
    return [value / spread for value in centred] if spread > 0 else centred


@dataclass(frozen=True)
class Answer:
    """The usable part of a verdict, as places of the slate."""

    ranking: tuple[int, ...]
    accepted: tuple[int, ...]
    undecided: tuple[int, ...]
    rejected: tuple[int, ...]


def preference_levels(
    answer: Answer, size: int, repair: str, draw: Callable[[], np.random.Generator]
) -> tuple[tuple[int, ...], ...] | None:
    """What an answer says of a slate of `size` places, as groups of falling preference; None if it says nothing.

    A ranking gives single places; without one, accepted, undecided and rejected are three groups. Places a ranking
    leaves out come last: `repair` "append" puts them in slate order, "random" in a drawn order, "drop" gives
    the turn up. `draw` makes the generator where one is needed.
    """
    if answer.ranking:
        left = sorted({*range(size)}.difference(answer.ranking))
        if left and repair == "drop":
            return None
        if left and repair == "random":
            left = draw().permutation(left).tolist()
        return tuple(zip([*answer.ranking, *left], strict=True))
    if not (answer.accepted or answer.rejected):
        return None
    groups = (answer.accepted, answer.undecided, answer.rejected)
    named = {place for group in groups for place in group}
    rest = tuple(place for place in range(size) if place not in named)
    return tuple(tuple(sorted(group)) for group in (*groups, rest) if group)


@dataclass(frozen=True)
class ChosenWeight:
    """The weight of Fuse and how it was found; `curve` is (weight, mean NDCG@n) over `turns` validation turns."""

    weight: float
    turns: int
    curve: tuple[tuple[float, float], ...] = ()


def choose_weight(turns: Sequence[Turn], n: int, repair: str, seed: int) -> ChosenWeight:
    """The weight with the best mean NDCG@n over validation turns, the smallest of equals.

    Turns without a usable answer count with the recommender's list at every weight, as they will in the test.
    """
    turns = [turn for turn in turns if turn.targets]
    if not turns:
        raise ValueError("no validation turn has a held-out item: there is nothing to choose a weight by")
    curve = []
    for weight in _WEIGHTS:
        finals = [_final(turn, Fuse(weight), n, repair, seed) for turn in turns]
        hits = np.array(
            [
                [item in turn.targets for item in final] + [False] * (n - len(final))
                for turn, final in zip(turns, finals, strict=True)
            ]
        )
        targets = np.array([len(turn.targets) for turn in turns])
        curve.append((weight, float(ranking_metrics(hits, targets, [n])[f"ndcg@{n}"].mean())))
    best = max(value for _, value in curve)
    return ChosenWeight(next(weight for weight, value in curve if value == best), len(turns), tuple(curve))


def _final(turn: Turn, policy: Fuse, n: int, repair: str, seed: int) -> tuple[str, ...]:
    if turn.fallback:
        return turn.final
    place = {item: number for number, item in enumerate(turn.slate)}
    answer = Answer(
        *(
            tuple(place[item] for item in part)
            for part in (turn.ranking, turn.accepted, turn.undecided, turn.rejected)
        )
    )
    levels = preference_levels(answer, len(turn.slate), repair, partial(repair_generator, seed, turn))
    assert levels is not None
    return tuple(turn.slate[number] for number in policy.refine(turn.scores, levels, n))


def repair_generator(seed: int, turn: _Place) -> np.random.Generator:
    """The draw that puts candidates a ranking leaves out into a random order."""
    return keyed_generator(seed, "repair", turn.user_id, turn.round, turn.replicate)


class _Place(Protocol):
    @property
    def user_id(self) -> str: ...
    @property
    def round(self) -> int: ...
    @property
    def replicate(self) -> int: ...


_WEIGHTS = tuple(step / 20 for step in range(21))
