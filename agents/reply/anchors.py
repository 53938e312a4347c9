"""Anchor phrases: where a reply announces a ranking or a list of what is accepted or rejected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.reply.clauses import Stance, clauses, decisions, sentences
from agents.reply.cleaning import BULLET, NUMBERED, TITLE

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKUP = str.maketrans(dict.fromkeys('*_`"“”#', " "))
# From "ranking" to where its list starts, never across a sentence, a line or a title.
_RANKING = re.compile(
    rf"\b(?:rank(?:ing|ings|ed|s)?\b[^:\n.{TITLE}{NUMBERED}]{{0,60}}?(?:\bwould\s+be\b|\bwill\s+be\b|\bis\b|\bare\b|\bfollows\b|:)"
    r"|order\s+of\s+preference\b[^:\n.]{0,30}:)"
    r"(?:[^\S\n]*(?:as\s+follows|the\s+following))?[^\S\n]*:?"
    rf"|^[^\w\n]{{0,24}}(?:my\s+|final\s+|the\s+)*ranking[^\S\n]*(?=\n)",
    re.IGNORECASE | re.MULTILINE,
)
_VERB = (
    r"\b(?:accept(?:s|ed|ing|able)?|reject\w*|declin(?:e[sd]?|ing)|refus(?:e[sd]?|ing)|unaccept(?:ed|able))\b"
)
_LISTED = re.compile(
    rf"{_VERB}(?P<object>[^:\n.!?{TITLE}{NUMBERED}]{{0,60}}?)(?::|[^\S\n](?:are|is|would\s+be|include)\b)"
    rf"|{_VERB}[^\S\n]+(?:all\s+(?:of\s+)?|only\s+|both\s+)?(?:these|those|the\s+following)(?:[^\S\n]+(?!as\b|because\b|since\b|and\b)[a-z]+)?"
    rf"|^[^\w\n]{{0,24}}{_VERB}(?:[^\S\n]+\w+){{0,2}}[^\S\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ANY_VERB = re.compile(_VERB, re.IGNORECASE)
_DIRECT = re.compile(
    rf"{_VERB}[^\w\n{TITLE}{NUMBERED}{BULLET}]*(?:the\s+|both\s+|only\s+)?(?={TITLE})", re.IGNORECASE
)
_PROCEDURE = re.compile(
    r"\b(?:reject|whether|each|separately|one by one|or not|item by item|if)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Anchor:
    """An anchor phrase: its list starts at `end`. `stance` is None for a ranking."""

    start: int
    end: int
    stance: Stance | None
    direct: bool = False
    """A title follows the verb at once ("I would accept Heat"), which a single remark may do as well."""


def find_anchors(masked: str) -> list[Anchor]:
    """All anchor phrases of a masked reply in order; phrases inside one another are one, rankings first."""
    text = masked.translate(_MARKUP)
    rankings = (found for found in _RANKING.finditer(text) if not _in_item(text, found.start()))
    anchors = [Anchor(found.start(), found.end(), None) for found in rankings]
    taken = [(anchor.start, anchor.end) for anchor in anchors]
    if not any(verb in masked.lower() for verb in ("accept", "reject", "declin", "refus")):
        return anchors
    for pattern, direct in ((_LISTED, False), (_DIRECT, True)):
        for found in pattern.finditer(text):
            verb = _ANY_VERB.search(text, found.start(), found.end())
            start, end = verb.start() if verb else found.start(), found.end()
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            if _headed(text, start) or (not direct and _PROCEDURE.search(found.group("object") or "")):
                continue
            stance = stance_at(text, start)
            if stance is not None:
                anchors.append(Anchor(start, end, stance, direct))
                taken.append((start, end))
    return sorted(anchors, key=lambda anchor: anchor.start)


def _in_item(text: str, at: int) -> bool:
    """Whether the line is an item of a list, so that the phrase is part of its reason."""
    line = text[text.rfind("\n", 0, at) + 1 : at].lstrip()
    return line.startswith((NUMBERED, BULLET)) and TITLE in line


def _headed(text: str, at: int) -> bool:
    """Whether the line starts with a title: then the phrase is a remark on that title, not a list."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line.lstrip(f" \t>-*'([{NUMBERED}{BULLET}").startswith(TITLE) and not _ends_sentence(line)


def _ends_sentence(line: str) -> bool:
    return line.rstrip().endswith((".", "!", "?")) or ". I" in line


def stance_at(text: str, at: int) -> Stance | None:
    """What the clause around a verb of deciding says that starts at `at`; None if there is none."""
    line_start = text.rfind("\n", 0, at) + 1
    line_end = text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    for start, end in _spans(text, line_start, line_end):
        if start <= at < end:
            return next((d.stance for d in decisions(text, start, end) if d.start == at), None)
    return None


def _spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for sentence in sentences(text, start, end):
        yield from clauses(text, *sentence)
