"""What a clause decides: accept, reject, or neither. A negation or a hedge never becomes an acceptance."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from agents.reply.cleaning import BULLET, NUMBERED, TITLE

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stance(Enum):
    """What is said about an item."""

    ACCEPT = "accept"
    REJECT = "reject"
    UNDECIDED = "undecided"


class Decision(NamedTuple):
    """A stance and the span of the words that express it."""

    stance: Stance
    start: int
    end: int


def _phrases(pattern: str) -> re.Pattern[str]:
    """A pattern of phrases, in which any run of space stands for each space."""
    return re.compile(pattern.replace(" ", r"[^\S\n]+"), re.IGNORECASE)


_VERB = re.compile(
    r"\b(?:(accept(?:s|ed|ing|able|ance)?)|(reject\w*|declin(?:e[sd]?|ing)|refus(?:e[sd]?|ing)|unaccept(?:ed|able)))\b",
    re.IGNORECASE,
)
_IDIOM = _phrases(
    r"\b(?:not (?:only|just)|no doubt|(?:without|no|not a|without any) (?:hesitation|doubt|question|problem)s?|not hesitate to)\b",
)
_HEDGE_NOUN = _phrases(
    r"\b(?:hesita\w+|reluctan\w+|unsure|uncertain|(?:not|n['’]?t) (?:entirely |completely |quite |so )?(?:sure|certain|convinced)"
    r"|undecided|unlikely|less likely|on the fence|either way|depend(?:s|ing)|whether|may not|might not|doubt(?:s|ed|ful)?"
    r"|(?:fail(?:s|ed)?|hard|difficult) to|stop(?:s|ped)? short)\b",
)
_HEDGE_BEFORE = _phrases(
    r"\b(?:might|may|maybe|perhaps|possibly|potentially|could|if|unless|almost|used to|(?:would|should|n['’]t|['’]d) have|consider(?:ing)? (?:whether|accept\w*))\b",
)
_NEGATION = re.compile(
    r"\b(?:not|never|cannot|no|none|nothing|neither|nor|hardly|without|unable|unwilling|refuse\w*|declin\w+|avoid)\b|n['’]t\b"
    r"|\b(?:wouldnt|dont|wont|cant|couldnt|didnt)\b",
    re.IGNORECASE,
)
_NEGATED_OBJECT = re.compile(r"[^\w:]*(?:\w+[^\w:]+){0,2}?(?:none|nothing|neither|not|no)\b", re.IGNORECASE)
_MISFIT = _phrases(
    r"(?:\bnot|n['’]t)\s+(?:\w+\s+){0,2}?(?:align|fit|match|interest\w*|appeal\w*|suit\w*|for me|my (?:taste|cup|thing|style)|choose|watch|recommend|include)\b"
    r"|\bno interest\b",
)
_EXCLUDED = _phrases(
    rf"\b(?:not|except(?: for)?|excluding|without|nor|rather than|instead of|other than)\b[^\w{TITLE}]*(?:the\s+)?(?={TITLE})",
)
# A question up to its mark; dots that end a title, and its year, do not end the sentence. A list after a colon asks nothing.
_ASKING = re.compile(
    rf"(?:[^.!?:\n(]|(?<={TITLE})[.!]+(?=[ *_\"'”’)\]]{{0,4}}\?)|\((?:{TITLE}+|\d{{4}})\))*\?"
)
_INVERTED = _phrases(
    r"\b(?:should|would|could|shall|can|will|do|did|why|who|what) (?:I|we|you|one|anyone|anybody)\b"
)
_CONDITION = re.compile(r"[^:\n]*\b(?:if|unless)\b", re.IGNORECASE)
_YES = re.compile(r"[\s:\-–—=()\[\]*_`>|\"'“”‘’«»]*(?:yes\b|[✓✔✅👍])", re.IGNORECASE)
_NO = re.compile(
    r"[\s:\-–—=()\[\]*_`>|\"'“”‘’«»]*(?:no\b(?!\s+(?:doubt|hesitation))|[✗✘❌👎])", re.IGNORECASE
)
_PERHAPS = _phrases(r"[\s:\-–—=()\[\]*_`>|\"'“”‘’«»]*(?:maybe|perhaps|possibly|not sure|unsure|undecided)\b")
_REACH = 400
"""Characters before and after a verb in which a negation or hedge may govern it."""
_SENTENCE = re.compile(r"[.!?…]{1,6}[\"'”’)\]*_]{0,6}(?=\s|$)")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Sgt|Lt|Capt|Col|Gen|Prof|Rev|St|Jr|Sr|vs|No|Vol|Pt|etc|e\.g|i\.e)|(?<![^\W\d_])[^\W\d_])$",
    re.IGNORECASE,
)
# A new subject with its own "would" starts afresh, so an earlier negation does not reach it.
_TURN = re.compile(
    r"\b(?:but|however|although|though|while|whereas|yet)\b|;|(?:,|\band)\s+(?=I(?:\s(?:would|will)|['’](?:d|ll))\s(?:\w+ly\s|also\s|only\s)?accept)",
    re.IGNORECASE,
)


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of a line; "Mr." and initials do not end one."""
    at = start
    for found in _SENTENCE.finditer(text, start, end):
        if found.group()[0] == "." and _ABBREVIATED.search(text, max(at, found.start() - 5), found.start()):
            continue
        yield at, found.end()
        at = found.end()
    if text[at:end].strip():
        yield at, end


def clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of a sentence between words that turn it ("but", "however", ";"); the turning word opens the next."""
    at = start
    for found in _TURN.finditer(text, start, end):
        if text[at : found.start()].strip():
            yield at, found.start()
            at = found.start()
    yield at, end


def decisions(text: str, start: int, end: int) -> Iterator[Decision]:
    """What the clause `text[start:end]` decides, in order; titles in it must be masked by TITLE signs.

    Accepting takes an explicit verb. A negation before it in the same breath rejects; one further away, and any
    hedge, condition or question, leaves the matter undecided.
    """
    clause = _IDIOM.sub(lambda m: " " * len(m.group()), text[start:end])
    verbs = list(_VERB.finditer(clause))
    for verb in verbs:
        before = clause[max(0, verb.start() - _REACH) : verb.start()]
        stance = _stance(before, verb, clause[verb.end() : verb.end() + _REACH])
        if stance is Stance.ACCEPT and _ASKING.match(text, start + verb.end(), start + verb.end() + _REACH):
            stance = Stance.UNDECIDED
        yield Decision(stance, start + verb.start(), start + verb.end())
    for excluded in _EXCLUDED.finditer(clause):
        yield Decision(Stance.REJECT, start + excluded.start(), start + excluded.end())
    if not verbs:
        if found := _HEDGE_NOUN.search(clause):
            yield Decision(Stance.UNDECIDED, start + found.start(), start + found.end())
        elif found := _MISFIT.search(clause):
            yield Decision(Stance.REJECT, start + found.start(), start + found.end())


def _stance(before: str, verb: re.Match[str], after: str) -> Stance:
    if _HEDGE_NOUN.search(before) or verb.group().lower() == "acceptable":
        return Stance.UNDECIDED
    breath = re.split(rf"[,:{TITLE}{NUMBERED}{BULLET}]", before)[-1]
    negated = bool(_NEGATION.search(breath))
    doubtful = bool(_HEDGE_BEFORE.search(before) or _INVERTED.search(before))
    doubtful = doubtful or bool(_NEGATION.search(before)) != negated
    if verb.group(2):
        return Stance.UNDECIDED if negated or doubtful else Stance.REJECT
    if negated or _NEGATED_OBJECT.match(after):
        return Stance.REJECT
    return Stance.UNDECIDED if doubtful or _CONDITION.match(after) else Stance.ACCEPT


def bare_verdict(note: str) -> set[Stance]:
    """A bare "yes", "no" or "maybe" right after a title."""
    signs = ((_YES, Stance.ACCEPT), (_NO, Stance.REJECT), (_PERHAPS, Stance.UNDECIDED))
    return {stance for sign, stance in signs if sign.match(note)}
