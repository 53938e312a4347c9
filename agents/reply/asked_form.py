"""Replies in exactly the form that was asked for: the asked phrases, each with a list of titles as shown, and nothing else."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from agents.reply.tokens import tokenize
from agents.reply.verbatim import BETWEEN, VerbatimTitles
from agents.reply.verdict import Asked, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[str, tuple[str, ...], Asked], Verdict]

_ACCEPTING = "I would accept these recommendations: "
_RANKING, _RANKING_END = "my ranking as ", " would be "
_NAME = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){0,3}")
_NOBODY = "none of them"
_MODEL = tuple(
    f"{one} {other} ({year})"
    for one, other, year in (
        ("Qexvar", "Zombrel", 1913),
        ("Wuxlid", "Yavnok", 1914),
        ("Jivrek", "Xuplon", 1915),
        ("Kwozbi", "Vyjtar", 1916),
    )
)
"""Titles that cannot be mistaken for anything."""


class _Parts(NamedTuple):
    accepting: str | None
    """What stands after the phrase of accepting; None if the reply has no such line."""
    phrase: str
    ranking: str
    """The phrase of ranking and what stands after it; both empty if the reply has no such line."""


def read_asked_form(
    text: str, candidates: tuple[str, ...], asked: Asked, titles: VerbatimTitles, reader: Reader
) -> Verdict | None:
    """The verdict of `reader`, which knows every form, without its work; None if it is not certain to be the same.

    Certain is: the phrases as asked for, titles as shown, a whole ranking without repetition. How the phrases read
    (they hold a name that anybody may have) is tried once with `reader`, on titles that cannot be mistaken.
    """
    parts = _split(text, asked)
    if parts is None or not titles.starts_none(_words(parts.phrase)):
        return None
    accepted: list[int] = []
    if parts.accepting is not None and parts.accepting != _NOBODY:
        found = titles.read(parts.accepting)
        if found is None or len({*found}) != len(found):
            return None
        accepted = found
    ranking: list[int] = []
    if asked.rank:
        found = titles.read(parts.ranking)
        if found is None or len(found) != len(candidates) or len({*found}) != len(found):
            return None
        ranking = found
    if len(candidates) < len(_MODEL) or not _reads_as_meant(parts.phrase, asked, reader):
        return None
    rejected: tuple[int, ...] = ()
    if asked.accept:
        named = {*accepted}
        rejected = tuple(place for place in range(len(candidates)) if place not in named)
    return Verdict(Status.OK, tuple(ranking), tuple(accepted), rejected)


def reads_back(titles: VerbatimTitles, count: int, name: str, asked: Asked, reader: Reader) -> bool:
    """Whether every reply in the asked form, in whatever order it names some of these `count` titles, reads as meant."""
    phrase = f"{_RANKING}{name}{_RANKING_END}" if asked.rank else ""
    return (
        count >= len(_MODEL)
        and titles.any_order
        and titles.starts_none(_words(phrase))
        and _reads_as_meant(phrase, asked, reader)
    )


def _split(text: str, asked: Asked) -> _Parts | None:
    accepting, line = None, text
    if asked.accept:
        first, _, line = text.partition("\n")
        if not first.startswith(_ACCEPTING):
            return None
        accepting = first[len(_ACCEPTING) :]
    if not asked.rank:
        return None if line else _Parts(accepting, "", "")
    name, would, ranking = line.removeprefix(_RANKING).partition(_RANKING_END)
    if not would or not line.startswith(_RANKING) or "\n" in line:
        return None
    return _Parts(accepting, f"{_RANKING}{name}{_RANKING_END}", ranking)


@lru_cache(maxsize=1 << 12)
def _words(phrase: str) -> frozenset[str]:
    """The words of both phrases, at which no title may start for the lists to be all that there is of titles."""
    return frozenset(tokenize(f"{_ACCEPTING} none of them {phrase}").words)


@lru_cache(maxsize=1 << 12)
def _reads_as_meant(phrase: str, asked: Asked, reader: Reader) -> bool:
    """Whether `reader` reads these phrases as they are meant, with no, one and several titles accepted."""
    name = phrase.removeprefix(_RANKING).removesuffix(_RANKING_END)
    if asked.rank and not _NAME.fullmatch(name):
        return False
    order = (2, 0, 3, 1)
    for count in (0, 1, 3) if asked.accept else (0,):
        lines = []
        if asked.accept:
            lines.append(_ACCEPTING + (BETWEEN.join(_MODEL[place] for place in order[:count]) or _NOBODY))
        if asked.rank:
            lines.append(phrase + BETWEEN.join(_MODEL[place] for place in order))
        meant = Verdict(
            Status.OK,
            order if asked.rank else (),
            order[:count] if asked.accept else (),
            tuple(place for place in range(len(order)) if place not in order[:count]) if asked.accept else (),
        )
        if reader("\n".join(lines), _MODEL, asked) != meant:
            return False
    return True
