"""What servers of OpenAI's protocol write: a chat completion, or why there is none.

OpenAI, vLLM, SGLang, llama.cpp and Ollama agree on the fields that every answer has, and each has names of its own for some of
the others; all are read here. Secrets are taken out of whatever a server says, since some quote the key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agents.llm.retry import retry_after
from agents.llm.types import CallError, Completion, TokenLogprob, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

_RETRYABLE = frozenset({408, 409, 429})
_QUOTA = "insufficient_quota"
_PARAMETER = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})
_REASONING = ("reasoning_content", "reasoning")
"""Of vLLM, SGLang, llama.cpp and DeepSeek; of newer vLLM and Ollama."""
_LONGEST = 300


@dataclass(frozen=True)
class Reader:
    """Reads what one server says."""

    base_url: str
    key_env: str | None
    """The environment variable of the key, for messages; None if there is none."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not be written down: the key, a proxy's password."""

    def completion(self, content: bytes) -> Completion:
        """The body of an answer; CallError (retryable) if it is no chat completion."""
        try:
            payload = json.loads(content)
            if isinstance(payload, dict) and payload.get("choices"):
                return self._completion(payload)
            missing = isinstance(payload, dict)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            missing = False
        start = self.clean(content.decode("utf-8", "replace"))
        if missing:
            raise CallError(f"the server's answer has no choices: {start}", retryable=True)
        raise CallError(f"the server's answer is no chat completion: {start!r}", retryable=True)

    def rejection(self, status: int, headers: Mapping[str, str], content: bytes, model: str) -> CallError:
        """Why a request was turned away, and whether it may be sent again."""
        told, said = _error(content), self.words(content)
        code, kind = told.get("code"), told.get("type")
        variable = f"${self.key_env}" if self.key_env else "no key (api_key_env is not set)"
        retryable = False
        if _QUOTA in (code, kind):
            text = f"the quota of the key is used up; add credit or raise its limit: {said}"
        elif status == 401:
            text = f"the server refuses the key it was given ({variable}): {said}"
        elif status == 403:
            text = f"the key ({variable}) may not use model {model!r}: {said}"
        elif status == 404:
            text = f"{self.base_url} has no model {model!r}, or is no chat completions address; check both: {said}"
        elif status in _RETRYABLE or status >= 500:
            text, retryable = f"the server is busy or broken: {said}", True
        elif code in _PARAMETER:
            text = f"model {model!r} does not take the request's parameters; change users.params: {said}"
        elif 300 <= status < 400:
            text = f"the server sends calls elsewhere; give the address where it answers itself as base_url: {said}"
        else:
            text = f"the server rejects the request: {said}"
        return CallError(
            f"HTTP {status}: {text}", retryable=retryable, status=status, retry_after=retry_after(headers)
        )

    def words(self, content: bytes) -> str:
        """What the body of an error says, cleaned."""
        told = _error(content).get("message")
        return self.clean(told or content.decode("utf-8", "replace") or "nothing more")

    def clean(self, said: object) -> str:
        """What somebody else wrote, on one short line and without secrets."""
        text = " ".join(self._without_secrets(str(said)).split())
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."

    def _completion(self, payload: dict[str, Any]) -> Completion:
        choice = payload["choices"][0]
        message = choice["message"]
        thought = next((message[name] for name in _REASONING if message.get(name)), None)
        return Completion(
            text=self._without_secrets(_text(message)),
            finish_reason=self._without_secrets(str(choice.get("finish_reason") or "unknown")),
            usage=_usage(payload.get("usage") or {}),
            model=self._without_secrets(str(payload.get("model") or "")),
            reasoning=None if thought is None else self._without_secrets(str(thought)),
            logprobs=self._logprobs(choice.get("logprobs")),
        )

    def _logprobs(self, given: dict[str, Any] | None) -> tuple[TokenLogprob, ...] | None:
        if given is None or given.get("content") is None:
            return None
        return tuple(
            TokenLogprob(
                self._without_secrets(token["token"]),
                float(token["logprob"]),
                tuple(
                    (self._without_secrets(top["token"]), float(top["logprob"]))
                    for top in token.get("top_logprobs") or ()
                ),
            )
            for token in given["content"]
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "[key]")
        return text


def _text(message: dict[str, Any]) -> str:
    """The content, which some servers give in parts; or the refusal that stands in its place."""
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, list):
        content = "".join(part.get("text") or part.get("refusal") or "" for part in content)
    if not isinstance(content, str):
        raise TypeError("the content of the message is not text")
    return content


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        _count(usage.get("prompt_tokens_details"), "cached_tokens"),
        _count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _count(usage: dict[str, Any] | None, name: str) -> int | None:
    value = usage.get(name) if usage else None
    return value if isinstance(value, int) else None


def _error(content: bytes) -> dict[str, Any]:
    """{"error": {"message", "type", "code"}}; vLLM once wrote the inside alone, and others write only words."""
    try:
        payload = json.loads(content)
        inner = payload.get("error", payload)
    except (ValueError, AttributeError, RecursionError):
        return {}
    if isinstance(inner, dict):
        return inner
    return {"message": inner} if isinstance(inner, str) else {}
