"""The values that cross the boundary to a language model, and the one protocol that crosses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClientSetupError(ValueError):
    """A client cannot be made as the scenario asks (no key, bad address); the message says what to do."""


class CallError(Exception):
    """One attempt at a call failed.

    `retryable` says whether the same call may succeed later; `status` is the HTTP status if there was one;
    `retry_after` the wait in seconds the server asked for, if it did.
    """

    def __init__(
        self, message: str, *, retryable: bool, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class Message:
    """One chat message: role ("system", "user", "assistant") and text."""

    role: str
    content: str


@dataclass(frozen=True)
class Draw:
    """Whose answer this is: replicates and rounds of one user are distinct calls even when the text is the same."""

    user: str
    round: int
    replicate: int
    part: int = 0
    """Of a turn that takes several calls, which one: the candidate's place in the slate, or the number of the order."""

    @property
    def key(self) -> tuple[str | int, ...]:
        """What random numbers of this draw are keyed by; the same for the first part as for a whole turn."""
        return (self.user, self.round, self.replicate, *([self.part] if self.part else []))

    def fields(self) -> dict[str, str | int]:
        """As hashed and written; part 0 is left out, so that calls of one-call turns are what they always were."""
        told: dict[str, str | int] = {"user": self.user, "round": self.round, "replicate": self.replicate}
        return told | ({"part": self.part} if self.part else {})

    def __str__(self) -> str:
        part = f", part {self.part}" if self.part else ""
        return f"user {self.user!r}, round {self.round}, replicate {self.replicate}{part}"


@dataclass(frozen=True)
class Request:
    """One question to the model: what is sent (`messages`, `model`, `params`) and whose draw it is."""

    messages: tuple[Message, ...]
    model: str
    params: Mapping[str, Any]
    """Sampling parameters as the endpoint names them (temperature, max_tokens, seed ...)."""
    draw: Draw
    needs_logprobs: bool = field(default=False, compare=False)
    """Whether an answer without log probabilities of tokens is of no use. Not sent, and no part of the key."""

    def body(self) -> dict[str, Any]:
        """The request body as sent."""
        return {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            **self.params,
        }


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None
    """Of the prompt's, those that the server had in its prefix cache."""
    reasoning_tokens: int | None = None
    """Of the completion's, those of reasoning that is not part of the text."""


@dataclass(frozen=True)
class TokenLogprob:
    """One token of an answer and its natural log probability; `top` are the likeliest at its place with theirs."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Completion:
    """One answer: its text, why it ended ("stop", "length", ...), tokens, and the model that says it answered.

    A reasoning model that used up its tokens before it answered has an empty text and ended by "length".
    """

    text: str
    finish_reason: str
    usage: Usage
    model: str
    reasoning: str | None = None
    """What a reasoning model thought before the text, where the server tells it apart."""
    logprobs: tuple[TokenLogprob, ...] | None = None
    """Of the tokens of the text, where they were asked for and given."""


class NoLogprobsError(CallError):
    """A server that was asked for log probabilities gave none."""

    def __init__(self) -> None:
        super().__init__(
            "the server gives no log probabilities of tokens, which prompts.ask pointwise needs; take an endpoint and a "
            "model that do, or set prompts.probability to text, which counts yes as 1 and no as 0",
            retryable=False,
        )


def check_logprobs(request: Request, completion: Completion) -> None:
    """NoLogprobsError if a request needs what its answer does not have: for each token the likeliest in its place."""
    tokens = completion.logprobs
    if request.needs_logprobs and (tokens is None or (tokens and not any(token.top for token in tokens))):
        raise NoLogprobsError


class ChatClient(Protocol):
    """Anything that can answer a chat request: one method, and what identifies it in a cache key."""

    provider: str
    """Kind of client, e.g. "openai"; for embedded users it includes what they know (a hash)."""
    base_url: str
    """Address without credentials; "" for embedded clients."""
    label: str
    """How outputs name the client; an embedded user is called what it is, never a language model."""

    async def complete(self, request: Request) -> Completion:
        """Answer once; raise CallError if the attempt failed."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
