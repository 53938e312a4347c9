"""One simulated user: observes a slate, asks its model, decides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import mesa

from agents.llm.types import Draw, Message, Request
from agents.randomness import keyed_permutation
from agents.reply import Asked, Verdict, parse
from prompts import inline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.embedded.client import EmbeddedClient
    from agents.llm.types import Completion
    from agents.memory import Memory
    from agents.persona import Persona
    from prompts import Family, Template


@dataclass(frozen=True)
class Script:
    """The prompt arm a population is asked with, and how its model is called."""

    family: Family
    system: Template
    profile: Template
    memory: Template
    feedback: Template
    asked: Asked
    memory_tokens: int
    shuffled: bool
    """Show the candidates in an order drawn per user and round, the same in every arm; else best first."""
    model: str
    params: Mapping[str, Any]
    seed: int

    def hashes(self) -> dict[str, str]:
        """Content hash of each template, by module."""
        parts = {
            "system": self.system,
            "profile": self.profile,
            "memory": self.memory,
            "feedback": self.feedback,
        }
        return {name: template.hash for name, template in parts.items()}


@dataclass(frozen=True)
class Offer:
    """What was shown: titles in prompt order and, for each, its place in the slate."""

    titles: tuple[str, ...]
    order: tuple[int, ...]


class UserAgent(mesa.Agent):
    """A member of the population; holds persona and memory, and answers through whatever model it is given."""

    def __init__(
        self, model: mesa.Model, arm: str, user_id: str, persona: Persona, memory: Memory, script: Script
    ) -> None:
        super().__init__(model)
        self.arm = arm
        self.user_id = user_id
        self.persona = persona
        self.memory = memory
        self.script = script
        self.offer = Offer((), ())

    def observe(self, titles: tuple[str, ...], turn: int, replicate: int) -> Request:
        """Build the request for a slate of `titles`, best first, in round `turn`."""
        script = self.script
        order = tuple(range(len(titles)))
        if script.shuffled:
            order = keyed_permutation(len(titles), script.seed, "shown order", self.user_id, turn)
        # Compare replies with what the model was shown, not with the catalogue's spelling.
        self.offer = Offer(tuple(inline(titles[place]) for place in order), order)
        candidates = script.family.candidates
        rows = candidates.separator.join([candidates.row(title, None) for title in self.offer.titles])
        name = self.persona.name
        history = self.memory.render(script.family.history, script.memory_tokens)
        user = [
            script.memory.render({"name": name, "history": history}),
            script.feedback.render({"name": name, "candidates": rows}),
        ]
        return Request(
            messages=(self._task, Message("user", _paragraphs(user))),
            model=script.model,
            params=script.params,
            draw=Draw(self.user_id, turn, replicate),
        )

    @cached_property
    def _task(self) -> Message:
        """What is the same in every round."""
        script = self.script
        return Message(
            "system",
            _paragraphs([script.system.render({}), script.profile.render(self.persona.values())]),
        )

    def decide(self, completion: Completion) -> Verdict:
        """Read an answer to the last request; positions in the verdict are places in the slate."""
        verdict = parse(completion.text, self.offer.titles, completion.finish_reason, self.script.asked)
        return verdict.mapped(self.offer.order)

    def decide_as(self, user: EmbeddedClient, request: Request) -> Verdict:
        """What it would have decided had an embedded user answered its last request."""
        return user.verdict(request, self.offer.titles, self.script.asked).mapped(self.offer.order)

    def remember(self, titles: tuple[str, ...]) -> None:
        """Add accepted titles to the memory."""
        self.memory = self.memory.with_accepted(titles)


def _paragraphs(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part)
