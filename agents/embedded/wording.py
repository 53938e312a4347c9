"""A decision put into prose that ends in the phrases the template asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    lines = []
    if choice.reasons:
        lines.append(f"As {who}, I went through the recommendations one by one.")
        for place, (title, reason) in enumerate(zip(question.titles, choice.reasons, strict=True)):
            verdict = "I would accept it" if place in choice.accepted else "I would not accept it"
            lines.append(f"{place + 1}. {title}: {verdict}, {reason}.")
    if question.asked.accept:
        accepted = [question.titles[place] for place in choice.order if place in choice.accepted]
        lines.append(
            f"I would accept these recommendations: {', '.join(accepted) if accepted else 'none of them'}"
        )
    if question.asked.rank:
        ranking = ", ".join(question.titles[place] for place in choice.order)
        lines.append(f"my ranking as {who} would be {ranking}")
    return "\n".join(lines)
