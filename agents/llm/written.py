"""Requests and completions as JSON: the one form in which journals and caches hold them.

What is absent (logprobs, reasoning, counts that a server did not give) is left out, so lines stay short and what was
written before a field existed still reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.llm.types import Completion, Draw, Message, Request, TokenLogprob, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping


def request_fields(request: Request) -> dict[str, Any]:
    """`messages`, `model`, `params` and `draw`."""
    return {
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "model": request.model,
        "params": dict(request.params),
        "draw": request.draw.fields(),
    }


def request_of(fields: Mapping[str, Any]) -> Request:
    """What `request_fields` was given; LookupError, TypeError or AttributeError if it is none."""
    return Request(
        messages=tuple(Message(m["role"], m["content"]) for m in fields["messages"]),
        model=fields["model"],
        params=fields["params"],
        draw=Draw(**fields["draw"]),
    )


def completion_fields(completion: Completion | None) -> dict[str, Any]:
    """`completion` (text, finish_reason, model, and reasoning and logprobs if any) and `usage`; both None for None.

    A token with its logprob is `[token, logprob, [[token, logprob], ...]]`.
    """
    if completion is None:
        return {"completion": None, "usage": None}
    said: dict[str, Any] = {
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "model": completion.model,
    }
    if completion.reasoning is not None:
        said["reasoning"] = completion.reasoning
    if completion.logprobs is not None:
        said["logprobs"] = [
            [token.token, token.logprob, [list(pair) for pair in token.top]] for token in completion.logprobs
        ]
    usage = completion.usage
    counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    if usage.cached_tokens is not None:
        counts["cached_tokens"] = usage.cached_tokens
    if usage.reasoning_tokens is not None:
        counts["reasoning_tokens"] = usage.reasoning_tokens
    return {"completion": said, "usage": counts}


def completion_of(fields: Mapping[str, Any]) -> Completion | None:
    """What `completion_fields` was given; LookupError, TypeError or ValueError if it is none."""
    said = fields["completion"]
    if said is None:
        return None
    logprobs = said.get("logprobs")
    return Completion(
        text=said["text"],
        finish_reason=said["finish_reason"],
        usage=Usage(**fields["usage"]),
        model=said["model"],
        reasoning=said.get("reasoning"),
        logprobs=None
        if logprobs is None
        else tuple(
            TokenLogprob(token, logprob, tuple((other, value) for other, value in top))
            for token, logprob, top in logprobs
        ),
    )
