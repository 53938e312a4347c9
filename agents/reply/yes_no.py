"""The reply to a question about one item: yes or no, and how probable yes was."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.reply.cleaning import clean
from agents.reply.parser import REFUSAL
from agents.reply.verdict import Status

if TYPE_CHECKING:
    from agents.llm.types import Completion, TokenLogprob

_EDGES = re.compile(r"[\W_]+", re.UNICODE)
"""What a token may have around its word: spaces and the signs tokenizers write for them, quotes, marks of emphasis."""
_SIGNS = str.maketrans("ĠĊ▁", "   ")
_WORD = re.compile(r"[\W_]*(yes|no)(?=[\W_]*$|[.,;:!*\"'\n-]|\s+I\b)", re.IGNORECASE)
_DIGITS = 12
"""Of a probability, after the point: what is below differs between machines."""


@dataclass(frozen=True)
class YesNo:
    """What was said of one item; without a probability it could not be read, and `status` says how."""

    status: Status
    probability: float | None = None
    """Of yes, against no: p(yes) / (p(yes) + p(no)); 1 or 0 where only the text was to be had."""
    mass: float | None = None
    """p(yes) + p(no): far below 1 the model was about to say something else. None where only the text was read."""


def read_logprobs(completion: Completion) -> YesNo:
    """Read the distribution at the first token that is a word.

    All spellings of yes and of no are added up, whatever their case and the spaces and marks around them. Where neither
    is among the likeliest, the reply is unreadable, whatever comes later: a guess would be no probability.
    """
    for token in completion.logprobs or ():
        if _bare(token.token):
            break
    else:
        return YesNo(_unread(completion.text))
    yes, no = _share(token, "yes"), _share(token, "no")
    if yes + no <= 0:
        return YesNo(_unread(completion.text))
    return YesNo(Status.OK, round(yes / (yes + no), _DIGITS), round(yes + no, _DIGITS))


def read_word(completion: Completion) -> YesNo:
    """Read yes as 1 and no as 0 where the text, thoughts left out, begins with the word."""
    found = _WORD.match(clean(completion.text))
    if found is None:
        cut_off = completion.finish_reason == "length"
        return YesNo(Status.TRUNCATED if cut_off else _unread(completion.text))
    return YesNo(Status.OK, float(found.group(1).lower() == "yes"))


def _bare(token: str) -> str:
    return _EDGES.sub("", token.translate(_SIGNS)).casefold()


def _share(token: TokenLogprob, word: str) -> float:
    """The probability of all spellings of a word in the place of a token."""
    return math.fsum(math.exp(value) for spelling, value in token.top if _bare(spelling) == word)


def _unread(text: str) -> Status:
    return Status.REFUSED if REFUSAL.search(text) else Status.UNPARSEABLE
