"""A cleaned reply with the titles found in it and masked, so that no word of a title is read as a word of the user."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from agents.reply.cleaning import TITLE, clean

if TYPE_CHECKING:
    from agents.reply.titles import Mention, TitleIndex

_LAST_WORD = re.compile(r"([\w'’]+)\W*\Z")
_NEXT_WORD = re.compile(r"[^\w\n]*([\w'’]+)")
_OPENERS = frozenset(
    "accept accepted accepting reject rejected rejecting decline declined be is are recommend recommendation watch not maybe perhaps "
    "possibly nor neither except excluding by movie film item title first second third finally lastly next".split()
)
_CLOSERS = frozenset(
    "is isn't isn’t was may might would wouldn't wouldn’t does doesn't doesn’t could can will seems sounds looks aligns fits because since "
    "as for due given with which although though while if followed".split()
)
# One-word titles that are pronouns ("I", "Them!") count only as whole pieces.
_PRONOUNS = frozenset("i me you he she it we they them us him her his my this that".split())
_start = attrgetter("start")


@dataclass(frozen=True)
class Answer:
    """A reply as its reader sees it; `masked` is `text` with every credible title overwritten by TITLE signs."""

    text: str
    masked: str
    mentions: tuple[Mention, ...]
    """Credible mentions only, in the order of the text."""

    def between(self, start: int, end: int) -> list[Mention]:
        """Mentions inside a span."""
        first = bisect_left(self.mentions, start, key=_start)
        last = bisect_left(self.mentions, end, lo=first, key=_start)
        return [mention for mention in self.mentions[first:last] if mention.end <= end]


def read(text: str, index: TitleIndex) -> Answer:
    """Clean a reply, find the titles in it and mask those that are certainly titles."""
    cleaned = clean(text)
    mentions = tuple(m for m in index.find(cleaned) if _credible(cleaned, m))
    parts: list[str] = []
    at = 0
    for mention in mentions:
        parts += [cleaned[at : mention.start], TITLE * (mention.end - mention.start)]
        at = mention.end
    return Answer(cleaned, "".join([*parts, cleaned[at:]]), mentions)


def is_pronoun(text: str, mention: Mention) -> bool:
    """Whether a title reads like a pronoun, so that outside lists it is taken for one."""
    return text[mention.start : mention.end].lower() in _PRONOUNS


def ends_piece(answer: Answer, mention: Mention) -> bool:
    """Whether what follows a title cannot continue its name: a reason, a verb, or another title."""
    following = answer.masked[mention.end : mention.end + 8].lstrip()
    return following.startswith(TITLE) or _closed(answer.text, mention.end)


def _credible(text: str, mention: Mention) -> bool:
    if mention.credible:
        return True
    if not mention.cased or is_pronoun(text, mention):
        return False
    return (mention.opens or _opened(text, mention.start)) and (mention.closes or _closed(text, mention.end))


def _opened(text: str, at: int) -> bool:
    found = _LAST_WORD.search(text, max(0, at - 30), at)
    return found is not None and found.group(1).lower() in _OPENERS


def _closed(text: str, at: int) -> bool:
    found = _NEXT_WORD.match(text, at)
    return found is None or found.group(1).lower() in _CLOSERS
