"""Finding the titles of a closed set in running text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from agents.reply.aliases import aliases, year_of
from agents.reply.tokens import ARROW, BREAK, Tokens, capitalised, tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

# A list separator inside a title that has only a space there costs more than the word it would gain.
_WORD_SCORE = 2
_SEPARATOR_COST = 3
_SEPARATOR = re.compile(r"[,;.|]|(?:^|\s)[-–—]+(?:\s|$)")
_SAME_FILM = re.compile(r"\s*[(\[/]\s*(?:a\.?k\.?a\.?\s+)?\Z", re.IGNORECASE)
_CONNECTORS = frozenset({"and", "or", "then", "but", BREAK, ARROW})
# Marks that end the name of a film.
_MARKS = re.compile(r"(?<=\w)[.?!…]+(?=$|\s*\(|,\s|\))")
_ENDINGS = frozenset(".?!…")
_COMMA = re.compile(r"[\s.!?'’]*,\s*")
_YEAR_LENGTH = 4
_WORD_OF_NAME = r"(?:[A-Z0-9][^\s()]*|of|the|and|in|an?|to|for|on|from|with|&)"
_SUBTITLE = rf":[ ]{_WORD_OF_NAME}(?:[ ]{_WORD_OF_NAME}){{0,7}}?"
_ARTICLE = r",[ ](?:The|An?)"
_GOES_ON = frozenset(":,")
# What makes a title the beginning of another's: "Alien" in "Alien: Resurrection (1997)", "Jurassic Park" in "Lost World: Jurassic Park, The".
_LONGER_DATED = re.compile(rf"(?:{_SUBTITLE}|{_ARTICLE})[ ]?\((?P<year>\d{{4}})\)")
_LONGER = re.compile(
    rf"(?:{_SUBTITLE})?{_ARTICLE}[ *_\"”']*$|:[ ](?:Part|Episode|Chapter|Volume|Vol\.)[ ](?:[IVXLC]+|\d+)\b",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A title found in a text: `text[start:end]`.

    A title may be an ordinary word ("Big", "Heat"), so `find` reports how the place looks and the reader of the
    text decides: in a list, `whole` is what counts; in prose, only a `cased` title of several words is safe.
    """

    positions: tuple[int, ...]
    """Titles that fit equally well, ascending; more than one is ambiguous."""
    start: int
    end: int
    words: int
    cased: bool
    """Every word that the title capitalises is capitalised here."""
    opens: bool
    """A line, punctuation or a word like "and" comes before it, no other word."""
    closes: bool
    """The same after it."""

    @property
    def whole(self) -> bool:
        """The title is a whole piece of a list: no other word touches it."""
        return self.opens and self.closes

    @property
    def credible(self) -> bool:
        """Safe to take for the title even in prose."""
        return self.whole or (self.cased and self.words > 1)


class _Ending(NamedTuple):
    """A title that may end at a trie node, and how (see `Alias`)."""

    position: int
    distance: int
    spaced: int
    capital: int
    moved: bool


class _Node:
    __slots__ = ("children", "endings")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.endings: list[_Ending] = []


class TitleIndex:
    """A closed set of titles, ready to be found in texts as any of their aliases.

    An alias is the title verbatim, without year, with the article at either end or left out, without or only its
    bracketed alternative; case, accents, punctuation and "&" never matter. Nothing is matched approximately, and
    a title followed by another year in brackets, at once or after a subtitle, is another film. A title without a letter or digit is never found.
    Building is linear in the titles (4,000: a fraction of a second), finding in the text.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        self._years = [year_of(title) for title in titles]
        self._marks = [_MARKS.findall(title) for title in titles]
        self._root = _Node()
        for position, title in enumerate(titles):
            for words, spaced, capital, distance, moved in aliases(title):
                node = self._root
                for word in words:
                    child = node.children.get(word)
                    if child is None:
                        child = node.children[word] = _Node()
                    node = child
                node.endings.append(_Ending(position, distance, spaced, capital, moved))

    def __len__(self) -> int:
        return len(self._years)

    def find(self, text: str) -> list[Mention]:
        """Titles in the order of the text, never overlapping.

        Of all covers the one with the most words in titles is taken, then the one with fewer titles; a comma is no
        border, but joining over a list separator that the title does not have is weighed against it. Where several
        titles fit the same words, the nearest alias wins (verbatim, then without year, then a part of the title).
        """
        tokens = tokenize(text)
        chosen = self._cover(text, tokens)
        mentions: list[Mention] = []
        stops = [*(tokens.starts[first] for first, _, _ in chosen), len(text)][1:]
        for (first, last, fitting), stop in zip(chosen, stops, strict=True):
            endings = self._not_begun(fitting, text, tokens.ends[last - 1], stop)
            if not endings:
                continue
            mention = _mention(text, tokens, first, last, endings, self._marks)
            previous = mentions[-1] if mentions else None
            if previous and (both := _same(text, previous, mention)):
                mentions[-1] = both
            else:
                mentions.append(mention)
        return mentions

    def _cover(self, text: str, tokens: Tokens) -> list[tuple[int, int, list[_Ending]]]:
        words = tokens.words
        count = len(words)
        root = self._root.children
        separators = _separator_bits(text, tokens)
        score = [0] * (count + 1)
        titles = [0] * (count + 1)
        choice: list[tuple[int, list[_Ending]] | None] = [None] * count
        for first in range(count - 1, -1, -1):
            best_score, best_titles = score[first + 1], titles[first + 1]
            node = root.get(words[first])
            last = first + 1
            while node is not None:
                if node.endings and (endings := self._fitting(node.endings, text, tokens, last)):
                    crossed = separators >> first
                    cost = min((crossed & ending.spaced).bit_count() for ending in endings) if crossed else 0
                    total = _WORD_SCORE * (last - first) - _SEPARATOR_COST * cost + score[last]
                    if total > best_score or (total == best_score and titles[last] + 1 < best_titles):
                        best_score, best_titles = total, titles[last] + 1
                        choice[first] = (last, endings)
                node = node.children.get(words[last]) if last < count else None
                last += 1
            score[first], titles[first] = best_score, best_titles
        return _follow(choice)

    def _fitting(self, endings: list[_Ending], text: str, tokens: Tokens, last: int) -> list[_Ending]:
        """The nearest endings, without those that the year in brackets after them or the place of an article contradicts."""
        if any(ending.moved for ending in endings) and not _article_behind(text, tokens, last):
            endings = [ending for ending in endings if not ending.moved]
        if last == len(tokens.words) or len(tokens.words[last]) != _YEAR_LENGTH:
            year = None
        else:
            year = _bracketed_year(text, tokens, last)
        if year is not None:
            endings = [e for e in endings if self._years[e.position] in (None, year)]
        if len(endings) > 1:
            nearest = min(ending.distance for ending in endings)
            endings = [ending for ending in endings if ending.distance == nearest]
        return endings

    def _not_begun(self, endings: list[_Ending], text: str, at: int, stop: int) -> list[_Ending]:
        """The endings at which no longer name goes on, up to the next title: a subtitle or article with another year."""
        if text[at : at + 1] not in _GOES_ON:
            return endings
        if _LONGER.match(text, at, stop):
            return []
        found = _LONGER_DATED.match(text, at, stop)
        if not found:
            return endings
        return [ending for ending in endings if self._years[ending.position] == int(found["year"])]


def _follow(choice: list[tuple[int, list[_Ending]] | None]) -> list[tuple[int, int, list[_Ending]]]:
    chosen: list[tuple[int, int, list[_Ending]]] = []
    at = 0
    while at < len(choice):
        taken = choice[at]
        if taken is None:
            at += 1
        else:
            chosen.append((at, taken[0], taken[1]))
            at = taken[0]
    return chosen


def _separator_bits(text: str, tokens: Tokens) -> int:
    """Bit i: a list separator lies between word i and word i+1."""
    starts, ends = tokens.starts, tokens.ends
    bits = bytearray(len(starts) // 8 + 1)
    for i in range(len(starts) - 1):
        gap = text[ends[i] : starts[i + 1]]
        if gap not in {" ", ""} and _SEPARATOR.search(gap):
            bits[i >> 3] |= 1 << (i & 7)
    return int.from_bytes(bits, "little")


def _article_behind(text: str, tokens: Tokens, last: int) -> bool:
    """Whether the last of these words is an article moved behind a comma, not one of a reason ("The Game** - a hit")."""
    if last < 2:
        return True
    end, start = tokens.ends[last - 2], tokens.starts[last - 1]
    if not _COMMA.fullmatch(text, end, start):
        return text[end:start].isspace()
    return not text[start].islower() or text[tokens.starts[last - 2]].islower()


def _bracketed_year(text: str, tokens: Tokens, at: int) -> int | None:
    word = tokens.words[at]
    if not (word.isascii() and word.isdigit()):
        return None
    start, end = tokens.starts[at], tokens.ends[at]
    return int(word) if text[start - 1] in "([" and text[end : end + 1] in {")", "]"} else None


def _mention(
    text: str, tokens: Tokens, first: int, last: int, endings: list[_Ending], marks: Sequence[Sequence[str]]
) -> Mention:
    starts, ends, words = tokens.starts, tokens.ends, tokens.words
    start, end = starts[first], ends[last - 1]
    opens = first == 0 or words[first - 1] in _CONNECTORS or _parts(text[ends[first - 1] : start])
    closes = last == len(words) or words[last] in _CONNECTORS or _parts(text[end : starts[last]])
    capitals = sum(
        1 << i for i in range(last - first) if capitalised(text[starts[first + i] : ends[first + i]])
    )
    # A title all in small letters ("'burbs, The") shows by its first word.
    cased = any((e.capital or 1) & capitals == (e.capital or 1) for e in endings)
    positions = tuple(sorted({ending.position for ending in endings}))
    # "Airplane!", "Titan A.E." and "Who Framed Roger Rabbit?" end no sentence of the reply.
    if text[end : end + 1] in _ENDINGS:
        written = _MARKS.findall(text, start, end)
        for mark, count in {(mark, marks[p].count(mark)) for p in positions for mark in marks[p]}:
            if text.startswith(mark, end) and written.count(mark) < count:
                end += len(mark)
                break
    if text[end : end + 1] in {")", "]"} and re.search(r"[(\[][^()\[\]]*\Z", text[start:end]):
        end += 1
    return Mention(positions, start, end, last - first, cased, opens, closes)


def _parts(gap: str) -> bool:
    """Whether a gap between words separates them: any punctuation but a hyphen inside a compound."""
    return gap != "-" and not gap.isspace()


def _same(text: str, one: Mention, other: Mention) -> Mention | None:
    """Both as one where a title is followed by another name of the same film in brackets."""
    if not _SAME_FILM.match(text[one.end : other.start]):
        return None
    positions = tuple(p for p in one.positions if p in other.positions)
    if not positions:
        return None
    end = other.end + (text[other.end : other.end + 1] in {")", "]"})
    return Mention(
        positions, one.start, end, one.words + other.words, one.cased and other.cased, one.opens, other.closes
    )
