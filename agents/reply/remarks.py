"""Decisions stated item by item in prose: "*COCO*: I would likely accept this recommendation"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from agents.reply.answer import is_pronoun
from agents.reply.clauses import Decision, Stance, bare_verdict, clauses, decisions, sentences
from agents.reply.cleaning import BULLET, NUMBERED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.reply.answer import Answer
    from agents.reply.titles import Mention

_LEAD = re.compile(rf"[\s>*_#\"'“‘(\[|{NUMBERED}{BULLET}-]*\Z")
_AFTER_HEAD = re.compile(
    r"[ \t*_\"”’)\]|]{0,12}(?:\([^()\n]*\)[ \t]{0,4})?[*_]{0,3}[ \t]{0,4}(?::|[-–—=→>|]|$)", re.MULTILINE
)
_GLUE = re.compile(
    r"[\s,*_\"'“”‘’&]*(?:\b(?:and|or|nor|the|neither|either|both|also|for|in|about)\b[\s,*_\"'“”‘’&]*)*\Z",
    re.IGNORECASE,
)


class Remark(NamedTuple):
    """What is said about a title, and where."""

    mention: Mention
    stance: Stance
    place: int


def read_remarks(answer: Answer) -> Iterator[Remark]:
    """What a reply decides in prose about which title.

    A decision goes to the titles listed right after its verb; else to the title that heads the line; else to
    titles before the verb in the clause; else to the title the last sentence began with.
    """
    masked = answer.masked
    head: Mention | None = None
    for line_start, line_end in _lines(masked):
        if not masked[line_start:line_end].strip():
            continue
        mentions = [m for m in answer.between(line_start, line_end) if not is_pronoun(answer.text, m)]
        headed = bool(mentions) and _heads(masked, line_start, mentions[0])
        if headed:
            head = mentions[0]
            yield from (
                Remark(head, stance, head.end) for stance in bare_verdict(masked[head.end : line_end])
            )
        elif mentions:
            head = None
        for sentence in sentences(masked, line_start, line_end):
            if not headed and (opening := _opening(masked, sentence, mentions)):
                head = opening
            for clause in clauses(masked, *sentence):
                inside = [m for m in mentions if clause[0] <= m.start < clause[1]]
                for decision in decisions(masked, *clause):
                    targets = _run(masked, decision, inside)
                    if not targets and not headed:
                        targets = [m for m in inside if m.start < decision.start]
                    if not targets and head is not None:
                        targets = [head]
                    yield from (Remark(target, decision.stance, decision.start) for target in targets)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for line in text.split("\n"):
        yield at, at + len(line)
        at += len(line) + 1


def _heads(masked: str, line_start: int, mention: Mention) -> bool:
    lead = masked[line_start : mention.start]
    return bool(_LEAD.match(lead)) and bool(_AFTER_HEAD.match(masked, mention.end))


def _opening(masked: str, sentence: tuple[int, int], mentions: list[Mention]) -> Mention | None:
    for mention in mentions:
        if sentence[0] <= mention.start < sentence[1]:
            return mention if _LEAD.match(masked[sentence[0] : mention.start]) else None
    return None


def _run(masked: str, decision: Decision, mentions: list[Mention]) -> list[Mention]:
    """The titles listed right after the words of a decision."""
    run: list[Mention] = []
    at = decision.end
    for mention in mentions:
        if mention.start < at:
            continue
        if not _GLUE.match(masked[at : mention.start]):
            break
        run.append(mention)
        at = mention.end
    return run
