"""What tests of the gateway ask and are answered."""

from __future__ import annotations

from agents.llm import Completion, Draw, Message, Request, Usage


def ask_for(user: str = "u1", text: str = "hello", **changes: object) -> Request:
    """A request of one message; `changes` are round, replicate, model or sampling parameters."""
    draw = Draw(user, int(changes.pop("round", 0)), int(changes.pop("replicate", 0)))
    model = str(changes.pop("model", "test-model"))
    return Request((Message("user", text),), model, {"temperature": 0.5, **changes}, draw)


def completion(text: str = "ok") -> Completion:
    """A plain answer."""
    return Completion(text, "stop", Usage(3, 1), "test-model")
