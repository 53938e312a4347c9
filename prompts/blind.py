"""What an item is called where no title is to be told: genres and text, without the titles of a catalogue in them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from prompts.titles import inline

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS = re.compile(r"\w+(?:['\u2019]\w+)*|&")
_YEAR = re.compile(r"\s*\(\d{4}\)\s*$")
_ARTICLES = frozenset("the a an le la les l il lo i el los las der die das un une".split())
_MOST = 200
"""Characters of a text: a whole plot for each of twenty candidates would fill a prompt."""
_SHORT = 3
"""Letters of a title of one word that is left where it stands: "It" and "Go" are words first."""
_REMOVED = "(title)"
UNKNOWN = "nothing is known of it"


class TitleBlind:
    """Texts in place of the titles of a catalogue: neither the item itself nor another is named, as far as `text` says.

    Building is linear in the titles, telling in the text.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        self._spelt: set[tuple[str, ...]] = set()
        self._lengths: dict[str, set[int]] = {}  # by first word: thousands of titles begin with "the"
        self._alone: set[str] = set()
        for title in titles:
            bare = _YEAR.sub("", inline(title)).strip()
            for words in _spellings(bare):
                if len(words) > 1:
                    folded = tuple(map(_fold, words))
                    self._spelt.add(folded)
                    self._lengths.setdefault(folded[0], set()).add(len(folded))
            # One word in small letters is a word; written as the title is, it may be the title.
            for name in (bare, bare.split(":")[0].strip()):
                if len(name) > _SHORT and _WORDS.fullmatch(name):
                    self._alone.add(name)

    def text(self, title: str, genres: tuple[str, ...], description: str) -> str:
        """Genres and the beginning of the description as one harmless line; wherever a title stands in it, "(title)" does.

        Titles are taken without their year, with the article at either end or none, whatever the case, accents and punctuation, and
        each part in brackets or before a colon as a title too. Other items' titles of one word only as they are written. An item
        of which nothing is known says so.
        """
        text = self._without(_without_own(inline(title), inline(description)))
        if len(text) > _MOST:
            text = f"{text[:_MOST].rsplit(' ', 1)[0]} ..."
        told = [", ".join(map(inline, genres)), text]
        return ": ".join(part for part in told if part) or UNKNOWN

    def _without(self, text: str) -> str:
        words = list(_WORDS.finditer(text))
        folded = tuple(_fold(word.group()) for word in words)
        parts: list[str] = []
        at = kept = 0
        while at < len(words):
            lengths = self._lengths.get(folded[at], ())
            fitting = [len(run) for n in lengths if (run := folded[at : at + n]) in self._spelt]
            length = max(fitting, default=int(words[at].group() in self._alone))
            if length:
                parts += [text[kept : words[at].start()], _REMOVED]
                kept = words[at + length - 1].end()
            at += length or 1
        return "".join([*parts, text[kept:]])


@lru_cache(maxsize=1 << 16)
def _without_own(title: str, text: str) -> str:
    for pattern in _names(title):
        text = pattern.sub(_REMOVED, text)
    return text


@lru_cache(maxsize=1 << 16)
def _fold(word: str) -> str:
    if word == "&":
        return "and"
    plain = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return plain.casefold().replace("\u2019", "'")


def _spellings(bare: str) -> set[tuple[str, ...]]:
    """The words of a title without its year, of its parts, and of each without its article."""
    parts = {
        bare,
        *re.findall(r"\(([^()]+)\)", bare),
        re.sub(r"\([^()]*\)", "", bare),
        bare.split(":", maxsplit=1)[0],
    }
    words = {tuple(_WORDS.findall(re.sub(r"^(.*), (\w{1,4})$", r"\2 \1", part.strip()))) for part in parts}
    words |= {each[1:] for each in words if len(each) > 1 and each[0].lower() in _ARTICLES}
    return {each for each in words if each}


def _names(title: str) -> Sequence[re.Pattern[str]]:
    """Patterns of the ways in which a text may spell a title, longest first."""
    spelt = sorted(_spellings(_YEAR.sub("", title)), key=lambda each: -sum(map(len, each)))
    return [
        re.compile(r"\b" + r"[\W_]+".join(map(re.escape, each)) + r"\b", re.IGNORECASE)
        for each in spelt
        # A title that is one short common word ("It", "Go") would take every such word out of the text.
        if len(each) > 1 or len(each[0]) > _SHORT
    ]
