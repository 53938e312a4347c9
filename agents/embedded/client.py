"""The shared half of every embedded user: read the messages, choose, answer in prose."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from agents.embedded.wording import NOBODY, word
from agents.llm.tokens import estimate_tokens
from agents.llm.types import Completion, TokenLogprob, Usage
from agents.reply import decided, parse

if TYPE_CHECKING:
    from agents.embedded.reading import PromptReader, Question
    from agents.embedded.wording import Choice
    from agents.llm.types import Draw, Request
    from agents.reply import Asked, Verdict


class EmbeddedClient(ABC):
    """A ChatClient that answers in the process. Its token counts are estimates, as its label says."""

    provider: str
    base_url = ""
    label: str

    def __init__(self, reader: PromptReader) -> None:
        self._reader = reader

    @abstractmethod
    def choose(self, question: Question, draw: Draw) -> Choice:
        """Decide; a function of the question and the draw alone."""

    @abstractmethod
    def probability(self, question: Question, draw: Draw) -> float:
        """Of yes, where the question is about one candidate; a function of the question and the draw alone."""

    def verdict(self, request: Request, candidates: tuple[str, ...], asked: Asked) -> Verdict:
        """What `parse` makes of the reply. Where the outcome is certain, the reply is not even written."""
        question = self._reader.read(request.messages)
        choice = self.choose(question, request.draw)
        if not choice.reasons and (question.titles, question.asked) == (candidates, asked):
            certain = decided(choice.order, choice.accepted, candidates, question.name or NOBODY, asked)
            if certain is not None:
                return certain
        return parse(word(question, choice), candidates, "stop", asked)

    def answer(self, request: Request) -> Completion:
        """Answer the question of the messages at once."""
        question = self._reader.read(request.messages)
        logprobs = None
        if question.yes_or_no and len(question.titles) == 1:
            text, logprobs = _yes_or_no(self.probability(question, request.draw))
        else:
            text = word(question, self.choose(question, request.draw))
        usage = Usage(
            sum(estimate_tokens(message.content) for message in request.messages), estimate_tokens(text)
        )
        asked_for = bool(request.params.get("logprobs"))
        return Completion(text, "stop", usage, self.label, logprobs=logprobs if asked_for else None)

    async def complete(self, request: Request) -> Completion:
        """The same, as a ChatClient."""
        return self.answer(request)

    async def aclose(self) -> None:  # noqa: B027 - complete as it is: there is nothing to override
        """Nothing to release."""


def _yes_or_no(yes: float) -> tuple[str, tuple[TokenLogprob, ...]]:
    """The likelier word, and both with their log probabilities, as a language model's server gives them."""
    both = sorted(
        (
            (name, round(math.log(max(share, _LEAST)), _DIGITS))
            for name, share in (("no", 1 - yes), ("yes", yes))
        ),
        key=lambda pair: -pair[1],
    )
    return both[0][0], (TokenLogprob(*both[0], top=tuple(both)),)


_LEAST = 1e-9
"""No probability is 0: JSON has no logarithm of it."""
_DIGITS = 9
