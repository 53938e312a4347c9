"""The accept part of a reply: who is accepted, rejected, or left undecided."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.reply.anchors import stance_at
from agents.reply.clauses import Stance
from agents.reply.listing import stance_of
from agents.reply.remarks import read_remarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.reply.answer import Answer
    from agents.reply.counting import Counts
    from agents.reply.lines import Listing
    from agents.reply.remarks import Remark
    from agents.reply.sections import Section
    from agents.reply.titles import Mention

_REJECTS_ALL = re.compile(
    r"(?:\bnot|n['’]t)\s+(?:\w+\s+){0,2}?accept\s+any\b|\breject(?:ing)?\s+(?:all|every|each)\b(?![^.\n]*\bexcept\b)"
    r"|\baccept\s+(?:none|nothing|neither)\b|\bnone of (?:them|these|the)\b[^.\n]{0,60}\baccept",
    re.IGNORECASE,
)

_ACCEPTS_ALL = re.compile(
    r"\baccept\s+(?:(?:all|each|every one)\s+of\s+(?:them|these|those)\b|everything\b"
    r"|all\s+(?:of\s+)?(?:these|those|the|your)?\s*(?:recommend\w+|suggestions|items|movies|films|books|products)\b)"
    r"(?![^.\n]*\b(?:except|but|other than|apart from|that|which|if)\b)",
    re.IGNORECASE,
)

_Said = dict[int, set[Stance]]


@dataclass(frozen=True)
class Accepting:
    """A partition of the candidates by what the user decided."""

    accepted: tuple[int, ...]
    """In the order named."""
    rejected: tuple[int, ...]
    undecided: tuple[int, ...]
    complete: bool
    """An accept list was given, or a statement on every candidate; and no name in it was ambiguous for good."""


def read_accepting(
    answer: Answer, sections: list[Section], plain: Listing | None, counts: Counts, size: int
) -> Accepting | None:
    """The accept part, or None if there is none; names in it that cannot be used are added to `counts`."""
    final = _final(sections)
    if plain is None and final is None:
        return _from_remarks(answer, sections, size)
    listing = final.listing if final else plain
    assert listing is not None
    if not listing.items and not (final and final.nothing):
        counts.unknown += listing.unknown
        return None
    return _from_list(answer, sections, final, listing, counts, size)


def _final(sections: list[Section]) -> Section | None:
    """The last accept list; a bare "I would accept Heat" only if it is the single one."""
    accepting = [section for section in sections if section.stance is Stance.ACCEPT]
    lists = [section for section in accepting if not section.direct]
    if lists:
        return lists[-1]
    return accepting[0] if len(accepting) == 1 else None


def _from_list(
    answer: Answer,
    sections: list[Section],
    final: Section | None,
    listing: Listing,
    counts: Counts,
    size: int,
) -> Accepting:
    order = counts.resolve([item.mention for item in listing.items])
    counts.unknown += [] if final and final.nothing else listing.unknown
    listed: _Said = defaultdict(set)
    unclear = {p for mention in listing.asides for p in mention.positions}
    vague: set[int] = set()
    for item in listing.items:
        if len(item.mention.positions) > 1:
            vague.update(item.mention.positions)
        else:
            listed[item.mention.positions[0]].add(stance_of(answer, item))
    remarks = list(read_remarks(answer))
    before = _said(remarks, sections, 0, final.start) if final else {}
    after = _said(remarks, sections, final.end, len(answer.text)) if final else {}
    stances: dict[int, Stance] = {}
    for position in range(size):
        here, later = listed.get(position, set()), after.get(position, set())
        if here:
            contradicted = here == {Stance.ACCEPT} and later - {Stance.ACCEPT}
            stances[position] = Stance.UNDECIDED if contradicted else _single(here)
        elif position in unclear | vague or Stance.UNDECIDED in later | before.get(position, set()):
            stances[position] = Stance.UNDECIDED
        else:
            stances[position] = Stance.REJECT
    named = [position for position in order if position is not None]
    return _partition(named, stances, size, complete=not vague - set(named))


def _from_remarks(answer: Answer, sections: list[Section], size: int) -> Accepting | None:
    said = _said(list(read_remarks(answer)), sections, 0, len(answer.text))
    if not any(Stance.ACCEPT in stances for stances in said.values()) and _REJECTS_ALL.search(answer.masked):
        said = {position: {Stance.REJECT} for position in range(size)}
    if not said and any(
        stance_at(answer.masked, found.start()) is Stance.ACCEPT
        for found in _ACCEPTS_ALL.finditer(answer.masked)
    ):
        said = {position: {Stance.ACCEPT} for position in range(size)}
    if not said:
        return None
    stances = {
        position: _single(said[position]) if position in said else Stance.UNDECIDED
        for position in range(size)
    }
    return _partition(list(said), stances, size, complete=len(said) == size)


def _said(remarks: Sequence[Remark], sections: list[Section], start: int, end: int) -> _Said:
    """What remarks and lists between two places say, by candidate, in the order first named."""
    said: _Said = defaultdict(set)
    lists = [section for section in sections if not section.direct]
    for mention, stance, place in remarks:
        if start <= place < end and not any(section.start <= place < section.end for section in lists):
            _note(said, mention, stance)
    for section in lists:
        if section.stance is not None and start <= section.start < end:
            for item in section.listing.items:
                _note(said, item.mention, section.stance)
    return said


def _note(said: _Said, mention: Mention, stance: Stance) -> None:
    if len(mention.positions) == 1:
        said[mention.positions[0]].add(stance)


def _single(stances: set[Stance]) -> Stance:
    """One stance; contradictions are undecided."""
    return next(iter(stances)) if len(stances) == 1 else Stance.UNDECIDED


def _partition(named: list[int], stances: dict[int, Stance], size: int, *, complete: bool) -> Accepting:
    def with_stance(stance: Stance, positions: Iterable[int]) -> tuple[int, ...]:
        return tuple(position for position in positions if stances[position] is stance)

    return Accepting(
        with_stance(Stance.ACCEPT, named),
        with_stance(Stance.REJECT, range(size)),
        with_stance(Stance.UNDECIDED, range(size)),
        complete,
    )
