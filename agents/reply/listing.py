"""Reading the list of titles that follows an anchor phrase, over as many lines as it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agents.reply.clauses import Stance, bare_verdict, decisions
from agents.reply.cleaning import BULLET, NUMBERED
from agents.reply.lines import Item, Listing, read_line
from agents.reply.pieces import MARKS, WORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.reply.answer import Answer

_PLAIN = " "
_ANNOUNCES = re.compile(r"(?:as|the|from|in|based|below)\b", re.IGNORECASE)
# "... and Heat, as the others do not fit my taste" says nothing against Heat.
_OTHERS = re.compile(r"\b(?:others?|rest|remaining|remainder)\b", re.IGNORECASE)

# A line that begins another list: "Skipped: Heat".
_LEFT_OUT = re.compile(
    r"[^\w\n]*(?:\w+[ \t]+){0,3}?(?:not?|never|none|un\w+|dis\w+|skip\w*|pass\w*|avoid\w*|exclud\w*|others?|rest|remaining|maybe|perhaps"
    r"|possibly|left|leav\w+|drop\w*|omit\w*|ignor\w+)\b[^:,;.\n]{0,40}:",
    re.IGNORECASE,
)


def read_list(answer: Answer, start: int, end: int) -> Listing:
    """Read the list in `answer.text[start:end]`.

    Titles count where they stand as pieces between separators; in a numbered, bulleted or table line only its
    head counts and the rest is a reason. The list ends with the first paragraph that is not part of it.
    """
    listing = Listing(end=start)
    kind, indent = "", 0
    blank = False
    for line_start, line_end in _lines(answer.masked, start, end):
        line = answer.masked[line_start:line_end]
        if not line.strip():
            blank = True
            continue
        line_kind, line_indent = _kind(line), len(line) - len(line.lstrip())
        if kind and line_kind != kind:
            if not kind.strip():
                break
            listing.prose = True
            listing.asides += answer.between(line_start, line_end)
            continue
        if kind.strip() and line_indent > indent + 1:
            listing.asides += answer.between(line_start, line_end)
            continue
        if (
            kind == _PLAIN
            and blank
            and len(listing.items) > 1
            and listing.end < line_start
            and _one_line(listing, answer)
        ):
            break
        if kind == _PLAIN and listing.items and _LEFT_OUT.match(answer.masked, line_start, line_end):
            listing.asides += answer.between(line_start, line_end)
            break
        part = read_line(answer, line_start, line_end, strict=line_kind != _PLAIN)
        if line_start == start and not (part.items or part.unknown) and _announces_nothing(line):
            break
        if kind == _PLAIN and part.prose and not part.items:
            break
        if line_kind == "|" and not (listing.items or part.items):
            part.unknown.clear()  # the heading of a table
        _extend(listing, part)
        listing.end = part.end
        blank = False
        if not kind and (part.items or (part.unknown and not part.prose)):
            kind, indent = line_kind, line_indent
    return listing


def _kind(line: str) -> str:
    first = line.lstrip(" \t>*_#\"'“[(")[:1]
    return first if first in {NUMBERED, BULLET, "|"} else _PLAIN


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    while at <= end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        yield at, stop
        at = stop + 1


def _announces_nothing(line: str) -> bool:
    """Prose right after an anchor that ends without a colon: no list of that anchor follows on later lines."""
    words = line.strip(MARKS.replace(":", ""))
    return bool(WORD.search(words)) and not words.endswith(":") and not _ANNOUNCES.match(words)


def _one_line(listing: Listing, answer: Answer) -> bool:
    first, last = listing.items[0].mention, listing.items[-1].mention
    return "\n" not in answer.text[first.start : last.end]


def _extend(listing: Listing, part: Listing) -> None:
    listing.items += part.items
    listing.unknown += part.unknown
    listing.asides += part.asides
    listing.prose = listing.prose or part.prose


def stance_of(answer: Answer, item: Item) -> Stance:
    """What an accept list says of one of its items, remark included ("Heat - I would not accept it")."""
    if item.stance is Stance.REJECT:
        return Stance.REJECT
    note = answer.masked[item.mention.end : item.note_end]
    found = bare_verdict(note)
    if not _OTHERS.search(note):
        found |= {decision.stance for decision in decisions(note, 0, len(note))}
    if Stance.REJECT in found:
        return Stance.REJECT if Stance.ACCEPT not in found else Stance.UNDECIDED
    return Stance.UNDECIDED if Stance.UNDECIDED in found else item.stance
