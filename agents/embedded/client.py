"""The shared half of every embedded user: read the messages, choose, answer in prose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from agents.embedded.wording import word
from agents.llm.tokens import estimate_tokens
from agents.llm.types import Completion, Usage

if TYPE_CHECKING:
    from agents.embedded.reading import PromptReader, Question
    from agents.embedded.wording import Choice
    from agents.llm.types import Draw, Request


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

    def reply(self, request: Request) -> str:
        """The text of the answer alone."""
        question = self._reader.read(request.messages)
        return word(question, self.choose(question, request.draw))

    def answer(self, request: Request) -> Completion:
        """Answer the question of the messages at once."""
        text = self.reply(request)
        usage = Usage(
            sum(estimate_tokens(message.content) for message in request.messages), estimate_tokens(text)
        )
        return Completion(text, "stop", usage, self.label)

    async def complete(self, request: Request) -> Completion:
        """The same, as a ChatClient."""
        return self.answer(request)

    async def aclose(self) -> None:  # noqa: B027 - complete as it is: there is nothing to override
        """Nothing to release."""
