"""From the text of a reply to a verdict over the candidates that were shown."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from agents.reply.accepting import Accepting, read_accepting
from agents.reply.answer import Answer, read
from agents.reply.asked_form import read_asked_form, reads_back
from agents.reply.clauses import Stance
from agents.reply.counting import Counts
from agents.reply.json_form import parse_json
from agents.reply.listing import read_list, stance_of
from agents.reply.numbered import parse_numbered
from agents.reply.sections import Section, read_sections
from agents.reply.titles import TitleIndex
from agents.reply.verbatim import VerbatimTitles
from agents.reply.verdict import Asked, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from agents.reply.lines import Listing

REFUSAL = re.compile(
    r"\bas an? (?:AI|artificial|language model|large language)|\b(?:I['’]m|I am) (?:sorry|unable|not able)\b|\bI apologi[sz]e\b"
    r"|\bI (?:cannot|can['’]?t|can not|won['’]t|will not) (?:\w+ )?(?:assist|help|answer|provide|simulate|role|pretend|comply|do|fulfil|rank|engage)",
    re.IGNORECASE,
)


def parse(text: str, candidates: Sequence[str], finish_reason: str, asked: Asked) -> Verdict:
    """Read what a reply decides about the candidates, and say how well it could be read.

    `candidates` are titles as shown, in the order shown; the verdict holds positions in it. `finish_reason` is the
    server's ("length" means cut off). Never raises for any text; raises ValueError if nothing is asked.

    - Thoughts, fences and markup are dropped. Of several anchor phrases of a kind the last one with a list counts;
      what stands before it is reasoning. Parts that were not asked for stay empty.
    - Accepting: candidates an accept list leaves out are rejected, unless the text is in doubt about them
      ("might be hesitant", named both ways, named ambiguously, or only mentioned in a reason): these are undecided.
      "None of them" and "all of them" are decisions on everything. Without such a list, decisions stated item by item count
      and the rest stays undecided (and the status partial).
    - Without any anchor or stated decision, a text that is nothing but a list of two or more candidates is the
      answer: the ranking if one was asked, else the accept list.
    - Candidates that are asked for by number are read by `agents.reply.numbered` or `agents.reply.json_form`.
    - A reply that was cut off, refused or unreadable carries no decision; its counts are those of what was read.
    """
    if not (asked.accept or asked.rank):
        raise ValueError(
            "Asked(accept=False, rank=False): a feedback template has to ask for at least one decision"
        )
    shown = tuple(candidates)
    if asked.form == "json":
        refused = bool(REFUSAL.search(text))
        return parse_json(text, len(shown), finish_reason, asked, refused=refused)
    if asked.form == "ids":
        plain = replace(asked, form="titles")
        return parse_numbered(text, shown, finish_reason, plain, parse)
    if finish_reason == "length":
        return _read(text, shown, asked, cut_off=True)
    return read_asked_form(text, shown, asked, _verbatim(shown), _read) or _read(text, shown, asked)


def decided(
    order: Sequence[int], accepted: AbstractSet[int], candidates: Sequence[str], name: str, asked: Asked
) -> Verdict | None:
    """What `parse` reads in a reply of exactly the asked form, without writing it; None if that is not certain.

    The reply is by the user called `name`, ranks all candidates in `order` and accepts those of them that are in `accepted`.
    """
    shown = tuple(candidates)
    if asked.form == "titles" and not reads_back(_verbatim(shown), len(shown), name, asked, _read):
        return None
    return Verdict(
        Status.OK,
        tuple(order) if asked.rank else (),
        tuple(place for place in order if place in accepted) if asked.accept else (),
        tuple(place for place in range(len(shown)) if place not in accepted) if asked.accept else (),
    )


def _read(text: str, candidates: tuple[str, ...], asked: Asked, *, cut_off: bool = False) -> Verdict:
    """Read a reply in any form."""
    answer = read(text, _index(candidates))
    sections = read_sections(answer)
    plain = None if sections else _plain_list(answer, len(candidates), asked)
    counts = Counts(answer)
    ranking = _ranking(sections, plain, counts) if asked.rank else []
    accepting = None
    if asked.accept:
        accepting = read_accepting(answer, sections, None if asked.rank else plain, counts, len(candidates))
    status = _status(answer, asked, ranking, accepting, counts, size=len(candidates))
    if cut_off:
        status = Status.TRUNCATED
    if status not in {Status.OK, Status.REPAIRED, Status.PARTIAL}:
        ranking, accepting = [], None
    ranked = set(ranking)
    return Verdict(
        status=status,
        ranking=tuple(ranking),
        accepted=accepting.accepted if accepting else (),
        rejected=accepting.rejected if accepting else (),
        undecided=accepting.undecided if accepting else (),
        missing=tuple(p for p in range(len(candidates)) if p not in ranked) if asked.rank else (),
        duplicate=counts.duplicate,
        unknown=tuple(counts.unknown),
        ambiguous=tuple(counts.ambiguous),
    )


@lru_cache(maxsize=1024)
def _index(candidates: tuple[str, ...]) -> TitleIndex:
    """The same slate is read several times: for the audience and for every null user."""
    return TitleIndex(candidates)


@lru_cache(maxsize=1024)
def _verbatim(candidates: tuple[str, ...]) -> VerbatimTitles:
    """As `_index`; an index is made only where a reply has to be searched."""
    return VerbatimTitles(candidates)


def _ranking(sections: list[Section], plain: Listing | None, counts: Counts) -> list[int]:
    listing = next((s.listing for s in reversed(sections) if s.stance is None), plain)
    if listing is None:
        return []
    counts.unknown += listing.unknown
    ranked = [item.mention for item in listing.items if item.stance is not Stance.REJECT]
    return [position for position in counts.resolve(ranked) if position is not None]


def _status(
    answer: Answer,
    asked: Asked,
    ranking: list[int],
    accepting: Accepting | None,
    counts: Counts,
    *,
    size: int,
) -> Status:
    if not ranking and accepting is None:
        return Status.REFUSED if REFUSAL.search(answer.text) else Status.UNPARSEABLE
    if asked.rank and len(ranking) < size:
        return Status.PARTIAL
    if asked.accept and (accepting is None or not accepting.complete):
        return Status.PARTIAL
    return Status.REPAIRED if counts.duplicate or counts.unknown or counts.ambiguous else Status.OK


def _plain_list(answer: Answer, size: int, asked: Asked) -> Listing | None:
    """The whole text as a list, if it is plainly nothing else: a list that says no to one of its items accepts none by naming it."""
    listing = read_list(answer, 0, len(answer.text))
    named = len(listing.items)
    if named < min(2, size) or listing.prose or listing.asides or len(listing.unknown) > named:
        return None
    if answer.text[listing.end :].strip() or any(item.stance is not Stance.ACCEPT for item in listing.items):
        return None
    if not asked.rank and any(stance_of(answer, item) is not Stance.ACCEPT for item in listing.items):
        return None
    return listing
