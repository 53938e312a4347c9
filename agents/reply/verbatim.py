"""Lists that name titles exactly as shown, read without searching, where that is certain to find what a search finds.

Most replies of a simulation name their titles verbatim, and every prompt does. `TitleIndex.find` looks at every way to cover a
text with every spelling of every title. For `A, B, C` in which no spelling of any title reaches from one title into the next,
its best cover is A, B and C: each covers all of its words at no cost, and no title can do better. What is not certain is
left to the search.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from agents.reply.aliases import VERBATIM, aliases
from agents.reply.tokens import ARROW, BREAK, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BETWEEN = ", "
"""What separates the titles of a plain list."""
# Letters, digits and the punctuation that neither ends a list nor is taken for markup; it starts and ends with a word.
_PLAIN = re.compile(r"[^\W_](?:[\w ,:'&!?./-]|\([^\W_][\w ,:'&!?./-]*\))*(?<=[\w)])")
_NUMBERING = re.compile(r"(?<!\w)\d{1,2}[.)]")
_FEWEST_WORDS = 2
"""A title of one word may be an ordinary word of the sentence."""


class _Spelling(NamedTuple):
    """What a title's spellings can be confused with."""

    certain: bool
    """It is plain enough to be found wherever it stands as a piece of a list."""
    verbatim: tuple[tuple[str, ...], ...]
    """Words of the title as shown; several where it has compounds."""
    first: str
    last: str
    """First and last word of the title as shown."""
    openings: frozenset[str]
    """First words of all of its spellings."""
    pairs: frozenset[tuple[str, str]]
    """All neighbouring words in any of its spellings."""


@lru_cache(maxsize=1 << 15)
def _spelling(title: str) -> _Spelling:
    ways = aliases(title)
    words = tuple(tokenize(title).words)
    shown = [alias for alias in ways if alias.words == words and alias.distance == VERBATIM]
    return _Spelling(
        certain=bool(shown and shown[0].capital) and len(words) >= _FEWEST_WORDS and _is_plain(title, words),
        verbatim=tuple(alias.words for alias in ways if alias.distance == VERBATIM),
        first=words[0] if words else "",
        last=words[-1] if words else "",
        openings=frozenset(alias.words[0] for alias in ways),
        pairs=frozenset(pair for alias in ways for pair in zip(alias.words, alias.words[1:], strict=False)),
    )


def _is_plain(title: str, words: Sequence[str]) -> bool:
    return bool(
        _PLAIN.fullmatch(title)
        and not _NUMBERING.search(title)
        and "ĉ" not in title
        and not {BREAK, ARROW}.intersection(words)
        and title[-1] != "_"
    )


class VerbatimTitles:
    """A closed set of titles, for reading lists that spell them as shown."""

    def __init__(self, titles: Sequence[str]) -> None:
        spellings = [_spelling(title) for title in titles]
        owners: dict[tuple[str, ...], int] = {}
        shared: set[int] = set()
        for place, spelling in enumerate(spellings):
            for words in spelling.verbatim:
                if owners.setdefault(words, place) != place:
                    shared |= {owners[words], place}
        self._places = {
            title: place
            for place, (title, spelling) in enumerate(zip(titles, spellings, strict=True))
            if spelling.certain and place not in shared
        }
        self._ends = [(spelling.first, spelling.last) for spelling in spellings]
        self._openings = frozenset().union(*(spelling.openings for spelling in spellings))
        self._pairs = frozenset().union(*(spelling.pairs for spelling in spellings))

    def read(self, text: str) -> list[int] | None:
        """Places of the titles that `text` lists, separated by commas; None if that is not certain."""
        places: list[int] = []
        name = ""
        known = self._places.get
        for piece in text.split(BETWEEN):
            name = f"{name}{BETWEEN}{piece}" if name else piece
            place = known(name)
            if place is not None:
                places.append(place)
                name = ""
        if name or not places:
            return None
        ends, pairs = self._ends, self._pairs
        last = ends[places[0]][1]
        for place in places[1:]:
            first, end = ends[place]
            if (last, first) in pairs:
                return None
            last = end
        return places

    @cached_property
    def any_order(self) -> bool:
        """Whether every title is certain, and lists in whatever order are read as they are written."""
        if len(self._places) < len(self._ends):
            return False
        firsts, lasts = {first for first, _ in self._ends}, {last for _, last in self._ends}
        return not any(one in lasts and other in firsts for one, other in self._pairs)

    def starts_none(self, words: Iterable[str]) -> bool:
        """Whether no title in any spelling starts with one of these words."""
        return self._openings.isdisjoint(words)
