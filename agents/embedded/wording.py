"""A decision put into prose that ends in the phrases the template asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.reply.json_form import ACCEPT, RANKING

if TYPE_CHECKING:
    from agents.embedded.reading import Question


NOBODY = "this user"
"""What a user calls itself that was not told its name."""


@dataclass(frozen=True)
class Choice:
    """What an embedded user chose: places in the question's candidate list."""

    order: tuple[int, ...]
    """All candidates, best first."""
    accepted: frozenset[int]
    reasons: tuple[str, ...]
    """One for each candidate, in the order shown; empty for a user that gives none."""


def word(question: Question, choice: Choice) -> str:
    """The reply text. A prompt without candidates is answered by saying so."""
    if not question.titles:
        return "I cannot find any recommendation in this message."
    who = question.name or NOBODY
    if question.asked.form == "json":
        return _as_json(question, choice)
    called = question.titles
    if question.asked.form == "ids":
        called = tuple(f"[{place + 1}]" for place in range(len(called)))
    lines = []
    if choice.reasons:
        lines.append(f"As {who}, I went through the recommendations one by one.")
        for place, (title, reason) in enumerate(zip(called, choice.reasons, strict=True)):
            verdict = "I would accept it" if place in choice.accepted else "I would not accept it"
            lines.append(f"{place + 1}. {title}: {verdict}, {reason}.")
    if question.asked.accept:
        accepted = [called[place] for place in choice.order if place in choice.accepted]
        lines.append(
            f"I would accept these recommendations: {', '.join(accepted) if accepted else 'none of them'}"
        )
    if question.asked.rank:
        ranking = ", ".join(called[place] for place in choice.order)
        lines.append(f"my ranking as {who} would be {ranking}")
    return "\n".join(lines)


def _as_json(question: Question, choice: Choice) -> str:
    asked, found = question.asked, {}
    if asked.accept:
        found[ACCEPT] = [place + 1 for place in choice.order if place in choice.accepted]
    if asked.rank:
        found[RANKING] = [place + 1 for place in choice.order]
    return json.dumps(found)
