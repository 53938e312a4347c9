"""Null users: what an audience that knows nothing, or everything, would answer through the same interface."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from agents.embedded.client import EmbeddedClient
from agents.embedded.wording import Choice
from agents.randomness import keyed_generator, keyed_permutation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.embedded.reading import PromptReader, Question
    from agents.llm.types import Draw


class EchoUser(EmbeddedClient):
    """Accepts everything in the order shown: what is left of an audience that only repeats."""

    provider = "echo"
    label = "echo (null user, keeps the order shown)"

    def choose(self, question: Question, draw: Draw) -> Choice:
        """The order shown."""
        return _choice(range(len(question.titles)), len(question.titles))

    def probability(self, question: Question, draw: Draw) -> float:
        """Yes to everything."""
        return 1.0


class RandomUser(EmbeddedClient):
    """Ranks at random and accepts half."""

    provider = "random"
    label = "random (null user)"

    def __init__(self, reader: PromptReader, seed: int) -> None:
        super().__init__(reader)
        self._seed = seed

    def choose(self, question: Question, draw: Draw) -> Choice:
        """A permutation drawn for the draw."""
        n = len(question.titles)
        order = keyed_permutation(n, self._seed, "random user", *draw.key)
        return _choice(order, n // 2)

    def probability(self, question: Question, draw: Draw) -> float:
        """Any."""
        return float(keyed_generator(self._seed, "random yes", *draw.key).random())


class PopularityUser(EmbeddedClient):
    """Ranks by number of train interactions and accepts the more popular half."""

    provider = "popularity"
    label = "popularity (null user)"

    def __init__(self, reader: PromptReader, counts: Sequence[int]) -> None:
        super().__init__(reader)
        self._counts = counts
        self._sorted = sorted(counts)

    def choose(self, question: Question, draw: Draw) -> Choice:
        """Most popular first; ties and unknown titles keep the order shown."""
        count = [-1 if item is None else self._counts[item] for item in question.candidates]
        order = sorted(range(len(count)), key=lambda place: -count[place])
        return _choice(order, len(order) // 2)

    def probability(self, question: Question, draw: Draw) -> float:
        """The share of the catalogue that is less popular; of those as popular half."""
        (item,) = question.candidates
        if item is None:
            return 0.0
        count, ranks = self._counts[item], self._sorted
        return (bisect_left(ranks, count) + bisect_right(ranks, count)) / (2 * len(ranks))


class OracleUser(EmbeddedClient):
    """Knows the held-out items of each user: they come first and only they are accepted."""

    provider = "oracle"
    label = "oracle (null user, knows the held-out items)"

    def __init__(self, reader: PromptReader, liked: Callable[[Draw], frozenset[int]]) -> None:
        """`liked` gives the held-out items of a draw's user."""
        super().__init__(reader)
        self._liked = liked

    def choose(self, question: Question, draw: Draw) -> Choice:
        """Held-out items first, in the order shown."""
        liked = self._liked(draw)
        known = [item in liked for item in question.candidates]
        order = sorted(range(len(known)), key=lambda place: not known[place])
        return _choice(order, sum(known))

    def probability(self, question: Question, draw: Draw) -> float:
        """Yes to the held-out items."""
        return float(question.candidates[0] in self._liked(draw))


def _choice(order: Sequence[int], accepted: int) -> Choice:
    return Choice(tuple(order), frozenset(order[:accepted]), reasons=())
