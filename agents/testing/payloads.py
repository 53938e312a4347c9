"""What the bodies of a chat completions server say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from agents.testing.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def error(message: str, code: str) -> str:
    """The body of a rejection, as OpenAI writes it."""
    return json.dumps({"error": {"message": message, "type": code, "code": code, "param": None}})


def completion(
    body: dict[str, Any], text: str, tokens: tuple[int, int], fault: Fault | None, number: int
) -> dict[str, Any]:
    """The answer to `body`, spoilt as `fault` asks; `tokens` of prompt and text."""
    refused = fault is Fault.REFUSAL
    choice = {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": None if refused else text,
            "refusal": text if refused else None,
        },
        "finish_reason": "length" if fault is Fault.LENGTH else "stop",
    }
    told = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [] if fault is Fault.EMPTY_CHOICES else [choice],
        "usage": dict(
            zip(("prompt_tokens", "completion_tokens", "total_tokens"), (*tokens, sum(tokens)), strict=True)
        ),
    }
    if fault is Fault.NO_USAGE:
        del told["usage"]
    return told


def token_logprobs(tokens: Sequence[Mapping[str, float]], top: int) -> dict[str, Any]:
    """The `logprobs` of a choice: of each token, and of the `top` likeliest in its place."""
    content = []
    for places in tokens:
        pairs = [{"token": token, "logprob": value} for token, value in places.items()]
        order = sorted(range(len(pairs)), key=list(places.values()).__getitem__, reverse=True)
        content.append({**pairs[0], "top_logprobs": [pairs[place] for place in order[:top]]})
    return {"content": content}


def words(body: dict[str, Any], text: str) -> tuple[int, int]:
    """A token a word."""
    return sum(len(message["content"].split()) for message in body["messages"]), len(text.split())


def rejection(fault: Fault, authorization: str, retry_after: float) -> tuple[str, dict[str, str]]:
    """Body and headers of an error status; `retry_after` in seconds is what 429 asks for."""
    if fault is Fault.NO_QUOTA:
        return error("You exceeded your current quota", "insufficient_quota"), {}
    if fault is Fault.BAD_KEY:
        return error(f"Incorrect API key provided: {authorization}", "invalid_api_key"), {}
    headers = {}
    if fault is Fault.RATE_SECONDS:
        headers["Retry-After"] = f"{retry_after:g}"
    elif fault is Fault.RATE_MS:
        headers["retry-after-ms"] = f"{retry_after * 1e3:g}"
    elif fault is Fault.RATE_DATE:
        at = datetime.now(UTC) + timedelta(seconds=retry_after)
        headers["Retry-After"] = format_datetime(at, usegmt=True)
    return error(fault.value, "test_fault"), headers
