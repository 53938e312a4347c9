"""Slates that are hard to read back: titles inside others, namesakes of other years, titles with commas."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZE = 20
_YEAR = re.compile(r"\s*\(\d{4}\)$")
_WORD = re.compile(r"[^\W_]+")


def without_year(title: str) -> str:
    """The title without the year in brackets that ends it."""
    return _YEAR.sub("", title)


def random_slates(titles: Sequence[str], rounds: int, seed: int) -> Iterator[tuple[str, ...]]:
    """Each title once a round, in company that the seed draws; the last slate of a round is filled from its first."""
    size = min(SIZE, len(titles))
    for number in range(rounds):
        order = random.Random(f"slates {seed} {number}").sample(titles, len(titles))
        for at in range(0, len(order), size):
            slate = order[at : at + size]
            yield tuple(slate + order[: size - len(slate)])


def hard_slates(titles: Sequence[str], seed: int) -> Iterator[tuple[str, ...]]:
    """For every title that others contain, share or could be split from: these titles side by side."""
    words = {title: tuple(_WORD.findall(without_year(title).lower())) for title in titles}
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for title, own in words.items():
        for word in own:
            holders[word].add(title)
    commas = [title for title in titles if "," in without_year(title)]
    rng = random.Random(f"hard slates {seed}")
    for title in titles:
        related = _containing(title, words, holders)
        neighbours = _pieces(title, words, holders) if "," in without_year(title) else []
        if not (related or neighbours):
            continue
        crowd = dict.fromkeys(
            [title, *related[: SIZE - 3], *neighbours, *rng.sample(commas, min(3, len(commas)))]
        )
        crowd |= dict.fromkeys(rng.sample(titles, min(2 * SIZE, len(titles))))
        yield tuple(list(crowd)[: min(SIZE, len(titles))])


def _containing(title: str, words: dict[str, tuple[str, ...]], holders: dict[str, set[str]]) -> list[str]:
    """Other titles in which the words of this one stand in a row."""
    name = words[title]
    if not name:
        return []
    rarest = min(name, key=lambda word: len(holders[word]))
    row = f" {' '.join(name)} "
    return sorted(
        other for other in holders[rarest] if other != title and row in f" {' '.join(words[other])} "
    )


def _pieces(title: str, words: dict[str, tuple[str, ...]], holders: dict[str, set[str]]) -> list[str]:
    """Titles that are one piece of this one between its commas."""
    found: list[str] = []
    for piece in without_year(title).lower().split(","):
        parts = tuple(_WORD.findall(piece))
        if parts:
            found += sorted(other for other in holders[parts[0]] if other != title and words[other] == parts)
    return found
