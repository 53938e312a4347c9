"""Replies that name candidates by the numbers in brackets before them.

Every number, and every title of a candidate that the reply spells out, is exchanged for a made-up title that nothing else in
a text can be mistaken for; then the reply is read as any other.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from agents.reply.titles import TitleIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.reply.titles import Mention
    from agents.reply.verdict import Asked, Verdict

    Reader = Callable[[str, tuple[str, ...], str, Asked], Verdict]

_BRACKETED = re.compile(r"\[\s*#?\s*(\d{1,6})\s*\]|#(\d{1,6})\b")
_GROUP = re.compile(r"\[\s*#?\d{1,6}(?:\s*[,;]\s*#?\d{1,6})+\s*\]")
"""Several numbers in one pair of brackets: [3, 1, 2]."""
_ANCHOR = re.compile(
    r"(?:\baccept(?:ed)?\s+these\s+recommendations?|\bmy\s+(?:final\s+)?ranking\b[^\n:\[\d]{0,80}?\bwould\s+be)\b[ \t*_]*:?[ \t*_]*\n?",
    re.IGNORECASE,
)
"""The asked phrases; after one of them bare numbers are a list as well."""
_BARE = re.compile(
    r"[ \t\"'“(*_]*\d{1,6}(?:(?:[ \t]*(?:,|;|>|→|->|\band\b)[ \t]*(?:and[ \t]+)?|[ \t]+)\d{1,6})*[ \t\"'”)*_.]*(?=\n|$)"
)
_NUMBER = re.compile(r"\d{1,6}")
_JOINT = re.compile(r"[ \t:.)*_\"“'-]{0,8}")
"""Between a number and the title of the same item."""
_NAMES = ("Qexvar", "Zombrel")
_CLASH, _UNKNOWN = "Wuxlid", "Yavnok"


def parse_numbered(
    text: str, candidates: tuple[str, ...], finish_reason: str, asked: Asked, reader: Reader
) -> Verdict:
    """The verdict over `candidates`, the first of which is number 1; `reader` reads titles.

    A number that no candidate has counts as unknown. A number beside the title of another candidate, and a title that several
    have, is ambiguous: neither is chosen. A title alone, where it is written out whole, is as good as its number.
    """
    named: list[str] = []
    told = _exchanged(text, candidates, named)
    verdict = reader(told, _made_up(len(candidates)), finish_reason, asked)
    unknown, ambiguous = list[str](), list(verdict.ambiguous)
    for piece in verdict.unknown:
        (ambiguous if _CLASH in piece else unknown).append(_as_written(piece, named))
    return replace(
        verdict,
        unknown=tuple(unknown),
        ambiguous=tuple(_as_written(piece, named) for piece in ambiguous),
    )


@lru_cache(maxsize=64)
def _made_up(count: int) -> tuple[str, ...]:
    return tuple(_name(place) for place in range(count))


def _name(place: int) -> str:
    return f"{_NAMES[0]} {_NAMES[1]}{_letters(place)}"


def _letters(number: int) -> str:
    """a, b, ..., so that no part of a made-up name is a number."""
    out = ""
    while True:
        number, rest = divmod(number, 26)
        out = chr(ord("a") + rest) + out
        if not number:
            return out
        number -= 1


@lru_cache(maxsize=1024)
def _index(candidates: tuple[str, ...]) -> TitleIndex:
    return TitleIndex(candidates)


def _exchanged(text: str, candidates: tuple[str, ...], named: list[str]) -> str:
    """The reply in made-up titles; `named` gets the words of what is no single candidate, by its number."""
    text = _GROUP.sub(lambda found: ", ".join(f"[{n}]" for n in _NUMBER.findall(found.group())), text)
    text = _bracketed_lists(text)
    titles = [mention for mention in _index(candidates).find(text) if mention.credible]
    numbers = [
        (found.start(), found.end(), int(found.group(1) or found.group(2)))
        for found in _BRACKETED.finditer(text)
    ]
    parts: list[str] = []
    at = 0
    for start, end, exchanged in _places(text, numbers, titles, len(candidates), named):
        parts += [text[at:start], exchanged]
        at = end
    return "".join([*parts, text[at:]])


def _bracketed_lists(text: str) -> str:
    """Bare numbers in the list of an asked phrase get brackets."""
    parts: list[str] = []
    at = 0
    for anchor in _ANCHOR.finditer(text):
        found = _BARE.match(text, anchor.end())
        if found is None or anchor.end() < at:
            continue
        parts += [text[at : found.start()], " ", ", ".join(f"[{n}]" for n in _NUMBER.findall(found.group()))]
        at = found.end()
    return "".join([*parts, text[at:]])


def _places(
    text: str,
    numbers: Sequence[tuple[int, int, int]],
    titles: Sequence[Mention],
    count: int,
    named: list[str],
) -> list[tuple[int, int, str]]:
    """What is exchanged for what, in the order of the text: numbers with the titles that belong to them, and titles alone."""
    left = list(titles)
    found: list[tuple[int, int, str]] = []

    def odd(start: int, end: int, kind: str) -> None:
        named.append(text[start:end])
        found.append((start, end, f"{_NAMES[0]} {kind}{_letters(len(named) - 1)}"))

    for start, end, number in numbers:
        place = number - 1 if 1 <= number <= count else None
        beside = next((each for each in left if _beside(text, start, end, each)), None)
        first, last = start, end
        if beside is not None:
            left.remove(beside)
            first, last = min(start, beside.start), max(end, beside.end)
            if place is not None and place not in beside.positions:
                odd(first, last, _CLASH)
                continue
            if place is None:
                odd(first, last, _CLASH)
                continue
        if place is None:
            odd(first, last, _UNKNOWN)
        else:
            found.append((first, last, _name(place)))
    for each in left:
        if any(start < each.end and each.start < end for start, end, _ in found):
            continue
        if len(each.positions) == 1:
            found.append((each.start, each.end, _name(each.positions[0])))
        else:
            odd(each.start, each.end, _CLASH)
    return sorted(found)


def _beside(text: str, start: int, end: int, title: Mention) -> bool:
    """Whether a title follows the number at `start` to `end`, with nothing between but marks; or stands before it in the same way,
    as in "Heat (1995) [3]".
    """
    if title.start >= end:
        return _JOINT.fullmatch(text, end, title.start) is not None
    return title.end <= start and re.fullmatch(r"[ \t]{0,2}", text[title.end : start]) is not None


def _as_written(piece: str, named: Sequence[str]) -> str:
    """A piece of the exchanged text with what stood in the reply."""
    for number in reversed(range(len(named))):
        for kind in (_CLASH, _UNKNOWN):
            piece = piece.replace(f"{_NAMES[0]} {kind}{_letters(number)}", named[number])
    return piece
