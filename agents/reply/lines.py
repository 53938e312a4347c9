"""Reading one line of a list of titles."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from agents.reply.answer import Answer, ends_piece
from agents.reply.clauses import Stance, sentences
from agents.reply.cleaning import BULLET, NUMBERED, TITLE
from agents.reply.pieces import (
    DASHES,
    MARKS,
    STRONG,
    Piece,
    clean_name,
    lead_in,
    like_a_name,
    prose_break,
    split_pieces,
    starts_prose,
)

if TYPE_CHECKING:
    from agents.reply.titles import Mention

_REASON = re.compile(r"[\s*_\"”’)\]]*(?::|[-–—])")
_ASIDE = re.compile(rf"(?<=[\w{TITLE}*_\"”’])[ \t]*\((?!\d{{4}}\))[^()\n]*\)")

# "Contact" in "Star Trek: First Contact" is no title of a list that "Star Trek" announces.
_NAMING = re.compile(r"\b(?!I\b)[A-Z]\w*\W*\Z")


class Item(NamedTuple):
    """One title of a list."""

    mention: Mention
    stance: Stance
    """What the words before it say ("but not", "maybe"); ACCEPT stands for: simply listed."""
    note_end: int
    """Its reason or remark is the text from the end of the mention to here."""


@dataclass
class Listing:
    """What a list holds, in its order."""

    items: list[Item] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Names of no candidate, as written."""
    asides: list[Mention] = field(default_factory=list)
    """Titles mentioned in reasons and remarks, which are not listed."""
    prose: bool = False
    """Text that is no list stands in between."""
    end: int = 0
    """Where the reader stopped."""


def read_line(answer: Answer, start: int, end: int, *, strict: bool) -> Listing:
    """Read the line `answer.text[start:end]`; in a `strict` one (numbered, bulleted, of a table) only its head counts."""
    return _LineReader(answer, start, end, strict=strict).read()


class _LineReader:
    """One line of a list: walks from title to title and judges the text in each gap."""

    def __init__(self, answer: Answer, start: int, end: int, *, strict: bool) -> None:
        self._answer, self._start, self._end, self._strict = answer, start, end, strict
        self._masked = _without_asides(_without_parts(answer, start, end), start, end)
        self._listing = Listing(end=end if strict else start)
        self._stance = Stance.ACCEPT
        self._open = True
        """Whether the next title after a separator is an item; prose closes the list, a strong separator reopens it."""

    def read(self) -> Listing:
        at = self._start
        mentions = self._answer.between(self._start, self._end)
        shown = [m for m in mentions if self._masked[m.start] == TITLE]
        self._listing.asides += [m for m in mentions if self._masked[m.start] != TITLE]
        for number, mention in enumerate(shown):
            note_end = self._end
            if (
                not self._strict
            ):  # a title with no line of its own has the text up to the next one, or the full stop
                note_end = shown[number + 1].start if number + 1 < len(shown) else self._end
                note_end = next(sentences(self._masked, mention.end, note_end), (0, note_end))[1]
            self._gap(at, mention, note_end)
            at = mention.end
            if self._strict and not self._open:
                self._listing.asides += shown[number + 1 :]
                return self._listing
        self._tail(at, anything=bool(shown))
        return self._listing

    def _gap(self, at: int, mention: Mention, note_end: int) -> None:
        gap = self._masked[at : mention.start]
        first = at == self._start
        if first and ":" in gap and not _NAMING.search(gap, gap.rfind(":")):
            gap = gap[gap.rfind(":") + 1 :]
        stop = prose_break(gap)
        pieces = split_pieces(gap)
        stance = lead_in(pieces[-1].text)
        if any(piece.border in STRONG for piece in pieces) and not self._strict:
            self._open, self._stance = True, Stance.ACCEPT
        if not first and self._strict and (_REASON.match(gap) or pieces[0].text):
            self._open = False
        if stop is not None:
            self._open = False
        self._names(pieces[:-1] if stop is None else split_pieces(gap[:stop]), first=first)
        if self._open and stance is not None:
            if stance is not Stance.ACCEPT:
                self._stance = stance
            self._listing.items.append(Item(mention, self._stance, note_end))
            self._listing.end = max(self._listing.end, mention.end)
            return
        self._listing.asides.append(mention)
        found = self._answer.text[mention.start : mention.end]
        if self._open and first and self._strict and (name := clean_name(f"{pieces[-1].text}{found}")):
            self._listing.unknown.append(name)  # the title ends a longer name
        else:
            self._listing.prose = True
        self._open = False

    def _tail(self, at: int, *, anything: bool) -> None:
        tail = self._masked[at : self._end]
        spans = list(sentences(tail, 0, len(tail)))
        head = tail[: spans[0][1]] if spans else ""
        if len(spans) > 1 or (anything and split_pieces(head)[0].text):
            self._listing.prose = True
        if not self._open:
            return
        if self._strict and not anything:
            name = clean_name(
                re.split(r"\s[-–—]+\s|:\s", tail.lstrip(MARKS + NUMBERED + BULLET), maxsplit=1)[0]
            )
            if name:
                self._listing.unknown.append(name)
        elif not self._strict:
            self._names(split_pieces(head), first=not anything)

    def _names(self, pieces: list[Piece], *, first: bool) -> None:
        """Count what stands alone between separators as names of no candidate."""
        if not self._open:
            return
        items = self._listing.items
        lower = bool(items) and not any(item.mention.cased for item in items)
        for number, piece in enumerate(pieces):
            if (number == 0 and not first) or piece.border in DASHES:
                continue
            name = clean_name(piece.text)
            if not name:
                continue
            if lead_in(name) is not None:
                continue  # "Perhaps I would": words before a title
            if like_a_name(name, lower=lower):
                self._listing.unknown.append(name)
            else:
                self._listing.prose = True
                if starts_prose(name):
                    self._open = False
                    return


def _without_parts(answer: Answer, start: int, end: int) -> str:
    """The masked text, but titles that are only the beginning of a longer piece ("Big" in "Big Night") written out."""
    masked = answer.masked
    for mention in answer.between(start, end):
        if not (mention.closes or ends_piece(answer, mention)):
            masked = (
                masked[: mention.start] + answer.text[mention.start : mention.end] + masked[mention.end :]
            )
    return masked


def _without_asides(masked: str, start: int, end: int) -> str:
    """The text with bracketed remarks after a title or word blanked; offsets stay."""
    line = masked[start:end]
    if "(" not in line:
        return masked
    line = _ASIDE.sub(lambda found: " " * len(found.group()), line)
    return masked[:start] + line + masked[end:]
