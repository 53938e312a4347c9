"""What a user noted for itself between rounds, in the place of the rounds that it sums up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.llm.tokens import estimate_tokens
from agents.reply.cleaning import without_thoughts
from prompts import inline

if TYPE_CHECKING:
    from agents.llm.types import Completion
    from prompts import Template

REFLECTION = -1
"""The part of a turn whose call sums up, after those that decide."""


@dataclass(frozen=True)
class Reflecting:
    """How, and how often, users are asked to sum up."""

    every: int
    """Rounds."""
    question: Template
    told: Template
    """How what was noted is told in later rounds."""


@dataclass(frozen=True)
class Reflection:
    """A note of a user."""

    round: int
    text: str

    def tell(self, template: Template, budget: int) -> str:
        """As `template` tells it, cut after a word to about `budget` tokens; it says where it was cut."""
        words = self.text.split(" ")
        while words:
            text = " ".join(words)
            cut = "" if len(words) == self.text.count(" ") + 1 else " ..."
            told = template.render({"round": str(self.round), "summary": text + cut})
            if estimate_tokens(told) <= budget:
                return told
            words = words[: len(words) * 9 // 10]
        return ""


def noted(completion: Completion | None, number: int) -> Reflection | None:
    """The note in an answer: one line without thoughts; None where no answer came, or nothing but thoughts.

    A note is a user's own words, but a model may copy a title's attack into it: it is made harmless like a title. One that was
    cut off by the length limit is a note as far as it goes.
    """
    if completion is None:
        return None
    text = inline(without_thoughts(completion.text))
    return Reflection(number, text) if text else None
