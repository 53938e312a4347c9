"""Ways of asking for a preference, and what several answers of one turn come to.

listwise    one call: the reply accepts and ranks the whole list
pointwise   one call for each candidate: how probable is yes; ranked by it
permuted    the listwise question with the candidates in several drawn orders; the answers are merged
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agents.reply import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

Way = Literal["listwise", "pointwise", "permuted"]
USABLE = frozenset({Status.OK, Status.REPAIRED, Status.PARTIAL})
"""Statuses of replies that carry a decision."""
_DIGITS = 9
"""Of a mean rank: beyond them sums in another order may differ."""


@dataclass(frozen=True)
class Asking:
    """How the population of an arm is asked."""

    way: Way = "listwise"
    permutations: int = 3
    """Orders of a permuted turn."""
    threshold: float = 0.5
    """A candidate is accepted if yes is more probable than this (pointwise)."""
    from_text: bool = False
    """Take yes as 1 and no as 0 from the text, for servers without log probabilities (pointwise)."""

    @property
    def needs_logprobs(self) -> bool:
        """Whether an answer without log probabilities is of no use."""
        return self.way == "pointwise" and not self.from_text


LISTWISE = Asking()


@dataclass(frozen=True)
class Reading:
    """What one call of a turn said, as places of the slate."""

    shown: tuple[int, ...]
    """The candidates of its prompt, in the order of the prompt."""
    verdict: Verdict | None
    """None where no answer came."""
    probability: float | None = None
    """Of yes, of a pointwise call that could be read."""
    mass: float | None = None
    """Of all probability, that of yes and no together."""


def combined(way: Way, readings: Sequence[Reading], threshold: float, ties: Sequence[int]) -> Verdict | None:
    """What the calls of a turn come to; None where none was answered.

    `ties` is a drawn order of all places: where an answer prefers neither of two candidates the one that is first there goes
    first, so that no tie falls to the recommender's order.
    """
    if way == "listwise":
        return readings[0].verdict
    if not any(reading.verdict for reading in readings):
        return None
    if way == "pointwise":
        return _by_probability(readings, threshold, ties)
    return _merged(readings, ties)


def borda(rankings: Sequence[Sequence[int]], ties: Sequence[int]) -> tuple[int, ...]:
    """Places by their mean rank over `rankings`, each a list of different places, best first.

    Places that one ranking leaves out share the mean of the ranks that are left in it; those that all leave out are
    left out. Equal means are ordered as in `ties`, which holds every place.
    """
    size = len(ties)
    total = dict.fromkeys(ties, 0.0)
    for ranking in rankings:
        rank = {place: float(number) for number, place in enumerate(ranking)}
        shared = (len(rank) + size - 1) / 2
        for place in total:
            total[place] += rank.get(place, shared)
    ranked = {place for ranking in rankings for place in ranking}
    # Sorting is stable.
    return tuple(sorted((p for p in ties if p in ranked), key=lambda place: round(total[place], _DIGITS)))


def _by_probability(readings: Sequence[Reading], threshold: float, ties: Sequence[int]) -> Verdict:
    said = {
        place: reading.probability
        for reading in readings
        for place in reading.shown
        if reading.probability is not None
    }
    ranking = tuple(sorted((place for place in ties if place in said), key=lambda place: -said[place]))
    rest = tuple(place for place in range(len(ties)) if place not in said)
    status = Status.OK if not rest else Status.PARTIAL if ranking else _most_frequent(readings)
    return Verdict(
        status,
        ranking,
        tuple(place for place in ranking if said[place] > threshold),
        tuple(place for place in ranking if said[place] <= threshold),
        undecided=rest,
        missing=rest,
    )


def _merged(readings: Sequence[Reading], ties: Sequence[int]) -> Verdict:
    answered = [reading.verdict for reading in readings if reading.verdict is not None]
    usable = [verdict for verdict in answered if verdict.status in USABLE]
    rankings = [verdict.ranking for verdict in usable if verdict.ranking]
    ranking = borda(rankings, ties)
    order = [*ranking, *(place for place in ties if place not in {*ranking})]
    decided = any(verdict.accepted or verdict.rejected for verdict in usable)
    accepted = _majority([verdict.accepted for verdict in usable], order)
    rejected = _majority([verdict.rejected for verdict in usable], order)
    settled = {*accepted, *rejected}
    if not usable:
        status = _most_frequent(readings)
    elif len(usable) < len(readings) or Status.PARTIAL in {verdict.status for verdict in usable}:
        status = Status.PARTIAL
    else:
        status = max((verdict.status for verdict in usable), key=[Status.OK, Status.REPAIRED].index)
    return Verdict(
        status,
        ranking,
        accepted,
        rejected,
        undecided=tuple(place for place in order if place not in settled) if decided else (),
        missing=tuple(sorted({*ties}.difference(ranking))) if rankings else (),
        duplicate=sum(verdict.duplicate for verdict in answered),
        unknown=tuple(name for verdict in answered for name in verdict.unknown),
        ambiguous=tuple(name for verdict in answered for name in verdict.ambiguous),
    )


def _majority(votes: Sequence[Sequence[int]], order: Sequence[int]) -> tuple[int, ...]:
    """The places that more than half of the votes name, in the given order."""
    count = Counter(place for vote in votes for place in vote)
    return tuple(place for place in order if count[place] > len(votes) / 2)


def _most_frequent(readings: Sequence[Reading]) -> Status:
    """Of turns in which nothing could be used: how most of the answers failed, the first of equals."""
    statuses = [reading.verdict.status for reading in readings if reading.verdict is not None]
    return max(statuses, key=statuses.count)
