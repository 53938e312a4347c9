"""The ways in which language models write a list of titles back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.replies.slates import without_year

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ARTICLE_LAST = re.compile(r"^(.*), (The|An?|Les?|La|L'|El|Los|Las|Il|Lo|Das|Der|Die|Den|Det|De|Het|Un|Une)$")


class Style(NamedTuple):
    """How a title is named, and how the names of an answer part are listed."""

    name: Callable[[str], str]
    listed: Callable[[Sequence[str]], str]
    """What follows the phrase that announces the list."""


def natural(title: str) -> str:
    """A title as one says it: "Game, The (1997)" is "The Game (1997)"."""
    name = without_year(title)
    found = _ARTICLE_LAST.match(name)
    if not found:
        return title
    rest, article = found.groups()
    return f"{article}{'' if article.endswith(chr(39)) else ' '}{rest}{title[len(name) :]}"


def _verbatim(title: str) -> str:
    return title


def _natural_without_year(title: str) -> str:
    return without_year(natural(title))


def _commas(names: Sequence[str]) -> str:
    return f" {', '.join(names)}."


def _arrows(names: Sequence[str]) -> str:
    return f" {' → '.join(names)}"


def _numbered(names: Sequence[str]) -> str:
    return "\n" + "\n".join(f"{n}. {name}" for n, name in enumerate(names, start=1))


def _bold_with_reasons(names: Sequence[str]) -> str:
    """Every reason names another title of the list, which must not count."""
    lines = [
        f"{n}. **{name}** - a fine one, closer to {other} than to the rest, and not too long."
        for n, (name, other) in enumerate(zip(names, reversed(names), strict=True), start=1)
    ]
    return "\n\n" + "\n".join(lines) + "\n\nThanks for asking!"


STYLES = {
    "verbatim": Style(_verbatim, _commas),
    "no year": Style(without_year, _commas),
    "natural article": Style(natural, _commas),
    "arrow": Style(_verbatim, _arrows),
    "numbered": Style(_verbatim, _numbered),
    "bold with reasons": Style(natural, _bold_with_reasons),
}
"""The floor to hold."""

MIXED_STYLES = {
    "natural article, no year": Style(_natural_without_year, _commas),
    "arrow, no year": Style(_natural_without_year, _arrows),
    "numbered, no year": Style(_natural_without_year, _numbered),
    "bold with reasons, no year": Style(_natural_without_year, _bold_with_reasons),
}
"""Two at a time."""
