"""The text between two titles of a list: separators, filler words, names of no candidate, prose."""

from __future__ import annotations

import re
from typing import NamedTuple

from agents.reply.clauses import Stance, sentences
from agents.reply.cleaning import BULLET, NUMBERED, TITLE

STRONG = frozenset(f";>|→➔➜⇒≻{NUMBERED}{BULLET}")
"""Separators after which a list goes on even if prose stood before them."""
DASHES = frozenset("-–—")
MARKS = " \t\n\"'“”‘’«»*_#`()[]{}.!?…|,;:"
"""Signs around a name that are not part of it."""
WORD = re.compile(r"[^\W_](?:['’\-]?[^\W_])*")

_BORDER = re.compile(
    rf"[,;>|&→➔➜⇒≻{NUMBERED}{BULLET}]|(?:^|(?<=\s))[-–—]+(?=\s|$)|(?<=\s)/(?=\s)|\b(?:and|then)\b",
    re.IGNORECASE,
)
_NAME_MARKS = MARKS.replace("(", "").replace(")", "")
_FILLERS = frozenset(
    "the a an film movie item followed by next finally lastly last also plus as well first firstly second secondly third fourth fifth "
    "i would will 'd accept place number but or are is be in order follows".split()
)
_HEDGES = frozenset(
    "maybe perhaps possibly potentially might may could consider hesitantly reluctantly".split()
)
_NEGATIONS = frozenset(
    "not no never except excluding without nor neither reject rejecting don't won't wouldn't".split()
)
_PROSE_STARTS = frozenset(
    "because since as for due given which with these they this that those it i my all both so however although though while based in "
    "are is was if thank thanks please note overall let hope here there".split()
)
_LONGEST_NAME = 12


class Piece(NamedTuple):
    """What stands between two separators."""

    border: str
    """The separator before it, by its first sign; none at the start of a gap."""
    text: str
    """Empty where there is no word."""


def prose_break(gap: str) -> int | None:
    """Where a sentence ends inside a gap that goes on with words."""
    for _, stop in sentences(gap, 0, len(gap)):
        if stop < len(gap) and WORD.search(gap, stop):
            return stop
    return None


def split_pieces(gap: str) -> list[Piece]:
    """The gap cut at separators; the first piece has no border before it."""
    pieces: list[Piece] = []
    at, border = 0, ""
    for found in _BORDER.finditer(gap):
        pieces.append(Piece(border, _bare(gap[at : found.start()])))
        at, border = found.end(), found.group().strip()[:1]
    pieces.append(Piece(border, _bare(gap[at:])))
    return pieces


def _bare(text: str) -> str:
    return text if WORD.search(text) else ""


def clean_name(text: str) -> str:
    """A name as written, without the signs around it; empty where there is no word."""
    return text.strip(_NAME_MARKS).strip() if WORD.search(text) else ""


def starts_prose(name: str) -> bool:
    """Whether a piece opens a reason or a remark ("because it is tense")."""
    return WORD.findall(name)[0].lower() in _PROSE_STARTS


def lead_in(words: str) -> Stance | None:
    """What the words between a separator and a title say of it ("and maybe", "but not"); None if they are prose."""
    found = [word.lower().replace("’", "'") for word in WORD.findall(words)]
    if not all(word in _FILLERS or word in _HEDGES or word in _NEGATIONS for word in found):
        return None
    if any(word in _NEGATIONS for word in found):
        return Stance.REJECT
    return Stance.UNDECIDED if any(word in _HEDGES for word in found) else Stance.ACCEPT


def like_a_name(name: str, *, lower: bool) -> bool:
    """Whether a piece could be a title; `lower`: the list writes its titles without capitals."""
    words = WORD.findall(name)
    if len(words) > _LONGEST_NAME or starts_prose(name) or TITLE in name:
        return False
    return lower or not words[0][0].islower()
