"""Text as folded words with their places, the same way for titles and for the text they are looked for in."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

BREAK = "\n"
"""The word that stands for a line break: no title spans it."""
ARROW = ">"
"""The word that stands for any arrow: no title spans it unless it has an arrow itself."""

_ARROWS = ">›»≻→➔➜➝➞⇒⟶⮕"
# Marks that do not end a word: apostrophes, combining accents, zero-width characters and the soft hyphen.
_INSIDE = "'’‘ʼ´\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff"
_WORD = re.compile(rf"[^\W_]+(?:[{_INSIDE}]+[^\W_]+)*[\u0300-\u036f]*|&|[{_ARROWS}]+|\n\s*")
_NOT_WORD = re.compile(rf"[{_INSIDE}]|[^\w]")
_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


class Tokens(NamedTuple):
    """Words of a text, folded, with character offsets; word i is `text[starts[i]:ends[i]]`."""

    words: list[str]
    starts: list[int]
    ends: list[int]


def tokenize(text: str) -> Tokens:
    """Split a text into folded words: no case, accents or apostrophes; "&" is "and"; line breaks and arrows are words."""
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for found in _WORD.finditer(text):
        words.append(_fold(found.group()))
        starts.append(found.start())
        ends.append(found.end())
    return Tokens(words, starts, ends)


def capitalised(word: str) -> bool:
    """Whether a word as written has a capital anywhere ("eXistenZ"), or starts with no small letter ("20")."""
    return not (word[0].islower() and word.islower())


@lru_cache(maxsize=1 << 15)
def _fold(word: str) -> str:
    if word == "&":
        return "and"
    if word[0] == "\n":
        return BREAK
    if word[0] in _ARROWS:
        return ARROW
    if word.isascii():
        return word.lower().replace("'", "")
    decomposed = unicodedata.normalize("NFKD", word.casefold().translate(_UNDECOMPOSED))
    # A sign that decomposes into nothing but marks still has to be some word.
    return _NOT_WORD.sub("", decomposed) or word
