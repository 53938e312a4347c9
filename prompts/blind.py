"""What an item is called where its title is not to be told: genres and text, without the title in them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from prompts.titles import inline

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS = re.compile(r"\w+(?:['\u2019]\w+)*")
_YEAR = re.compile(r"\s*\(\d{4}\)\s*$")
_ARTICLES = frozenset("the a an le la les l il lo i el los las der die das un une".split())
_MOST = 200
"""Characters of a text: a whole plot for each of twenty candidates would fill a prompt."""
_REMOVED = "(title)"
UNKNOWN = "nothing is known of it"


@lru_cache(maxsize=1 << 16)
def blind_text(title: str, genres: tuple[str, ...], description: str) -> str:
    """Genres and the beginning of the description as one harmless line; wherever the title stands in it, "(title)" does.

    The title is taken without its year, with the article at either end, whatever the case, and each part of it in brackets or
    before a colon as a title too. An item of which nothing is known says so.
    """
    text = inline(description)
    for pattern in _names(inline(title)):
        text = pattern.sub(_REMOVED, text)
    if len(text) > _MOST:
        text = f"{text[:_MOST].rsplit(' ', 1)[0]} ..."
    told = [", ".join(map(inline, genres)), text]
    return ": ".join(part for part in told if part) or UNKNOWN


def _names(title: str) -> Sequence[re.Pattern[str]]:
    """Patterns of the ways in which a text may spell a title, longest first."""
    bare = _YEAR.sub("", title)
    parts = {bare, *re.findall(r"\(([^()]+)\)", bare), re.sub(r"\([^()]*\)", "", bare), bare.split(":")[0]}
    words = {tuple(_WORDS.findall(re.sub(r"^(.*), (\w{1,4})$", r"\2 \1", part.strip()))) for part in parts}
    words |= {each[1:] for each in words if len(each) > 1 and each[0].lower() in _ARTICLES}
    spelt = sorted((each for each in words if each), key=lambda each: -sum(map(len, each)))
    return [
        re.compile(r"\b" + r"[\W_]+".join(map(re.escape, each)) + r"\b", re.IGNORECASE)
        for each in spelt
        # A title that is one short common word ("It", "Go") would take every such word out of the text.
        if len(each) > 1 or len(each[0]) > 3
    ]
