"""The parts of a reply that answer: each anchor phrase with the list that follows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.reply.anchors import Anchor, find_anchors
from agents.reply.listing import read_list

if TYPE_CHECKING:
    from agents.reply.answer import Answer
    from agents.reply.clauses import Stance
    from agents.reply.lines import Listing

_NOTHING = re.compile(
    r"[\s:*_\"'“\-–—\[]*(?:none\b|nothing\b|no (?:recommendations?|items?|movies?|films?|products?|one)\b|n/a\b|\[\s*\])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Section:
    """One anchor phrase and its list."""

    start: int
    end: int
    stance: Stance | None
    """What the phrase says of the listed titles; None for a ranking."""
    direct: bool
    """The phrase is a mere verb before titles ("I would accept Heat"), possibly a remark in passing."""
    nothing: bool
    """The list says that it is empty ("none of them")."""
    listing: Listing


def read_sections(answer: Answer) -> list[Section]:
    """All answer parts in order. A phrase that no list follows ("my ranking would be different if ...") is none."""
    anchors = find_anchors(answer.masked)
    useful = [
        section
        for section in _cut(answer, anchors)
        if section.listing.items or section.nothing or _bare(section)
    ]
    if len(useful) == len(anchors):
        return useful
    starts = {section.start for section in useful}
    return _cut(answer, [anchor for anchor in anchors if anchor.start in starts])


def _cut(answer: Answer, anchors: list[Anchor]) -> list[Section]:
    stops = [*(anchor.start for anchor in anchors), len(answer.text)][1:]
    sections: list[Section] = []
    for anchor, stop in zip(anchors, stops, strict=True):
        listing = read_list(answer, anchor.end, stop)
        nothing = not listing.items and bool(_NOTHING.match(answer.masked, anchor.end, stop))
        end = max(anchor.end, listing.end)
        sections.append(Section(anchor.start, end, anchor.stance, anchor.direct, nothing, listing))
    return sections


def _bare(section: Section) -> bool:
    """A list of foreign names only: it was meant as the answer all the same."""
    return bool(section.listing.unknown) and not section.listing.prose
