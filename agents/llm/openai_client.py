"""Chat completions over HTTP: OpenAI and every server that speaks its protocol (vLLM, SGLang, llama.cpp, Ollama)."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import openai

from agents.llm.key import public_url
from agents.llm.retry import retry_after
from agents.llm.types import CallError, ClientSetupError, Completion, Usage

if TYPE_CHECKING:
    from agents.llm.types import Request

_RETRYABLE = frozenset({408, 409, 429})
_SPARE_CONNECTIONS = 8
_CONNECT_SECONDS = 10.0
_QUOTA = "insufficient_quota"
_NO_KEY = "none"


class OpenAIClient:
    """Answers requests by `POST base_url/chat/completions`.

    `api_key_env` names the environment variable that holds the key; None for a server that asks for none.
    `timeout` in seconds is for one attempt as a whole, however slowly its bytes come. `concurrency` is the number
    of calls that will be in flight at once; more connections than that are allowed, since a pool that is too small
    turns queueing into timeouts. Use it on one event loop. Raises ClientSetupError if it cannot be made.
    """

    provider = "openai"

    def __init__(
        self,
        *,
        base_url: str = "https://api.openai.com/v1",
        api_key_env: str | None = "OPENAI_API_KEY",
        timeout: float = 120.0,
        concurrency: int = 64,
    ) -> None:
        self.base_url = _checked_url(base_url)
        self.label = f"OpenAI-compatible server at {self.base_url}"
        self._key_env = api_key_env
        self._key = _key_from_environment(api_key_env)
        self._timeout = timeout
        connections = concurrency + _SPARE_CONNECTIONS
        self._client = openai.AsyncOpenAI(
            api_key=self._key or _NO_KEY,
            base_url=self.base_url,
            max_retries=0,  # the gateway's retry loop is the only one
            timeout=httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
            http_client=openai.DefaultAsyncHttpxClient(
                limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
            ),
        )

    def __repr__(self) -> str:
        return f"OpenAIClient(base_url={self.base_url!r}, api_key_env={self._key_env!r})"

    async def complete(self, request: Request) -> Completion:
        """Answer once; raise CallError if the attempt failed."""
        # The failure is raised outside the handlers: an SDK error in its context would carry the request's headers.
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=request.body()
                )
        except (TimeoutError, openai.APITimeoutError):
            failure = CallError(
                f"no answer from {self.base_url} within {self._timeout:g} s "
                "(raise the timeout or lower the concurrency if the server is slow)",
                retryable=True,
            )
        except openai.APIStatusError as error:
            failure = self._rejection(error, request.model)
        except openai.APIConnectionError as error:
            reason = self._clean(error.__cause__ or error)
            failure = CallError(f"no connection to {self.base_url}, or it broke: {reason}", retryable=True)
        else:
            return self._read(response.content)
        raise failure

    async def aclose(self) -> None:
        """Release connections."""
        await self._client.close()

    def _rejection(self, error: openai.APIStatusError, model: str) -> CallError:
        status = error.status_code
        said = self._clean(error)
        variable = f"${self._key_env}" if self._key_env else "no key (api_key_env is not set)"
        if _QUOTA in (error.code, error.type):
            text, retryable = f"the quota of the key is used up; add credit or raise its limit: {said}", False
        elif status == 401:
            text, retryable = f"the server refuses the key it was given ({variable}): {said}", False
        elif status == 403:
            text, retryable = f"the key ({variable}) may not use model {model!r}: {said}", False
        elif status == 404:
            text = f"{self.base_url} has no model {model!r}, or is no chat completions address; check both: {said}"
            retryable = False
        elif status in _RETRYABLE or status >= 500:
            text, retryable = f"the server is busy or broken: {said}", True
        else:
            text, retryable = f"the server rejects the request: {said}", False
        return CallError(
            f"HTTP {status}: {text}",
            retryable=retryable,
            status=status,
            retry_after=retry_after(error.response.headers),
        )

    def _read(self, content: bytes) -> Completion:
        try:
            payload: dict[str, Any] = json.loads(content)
            if not payload.get("choices"):
                raise CallError(f"the server's answer has no choices: {self._clean(payload)}", retryable=True)
            choice = payload["choices"][0]
            usage = payload.get("usage") or {}
            return Completion(
                text=self._without_key(_text(choice["message"])),
                finish_reason=self._without_key(str(choice.get("finish_reason") or "unknown")),
                usage=Usage(_count(usage, "prompt_tokens"), _count(usage, "completion_tokens")),
                model=self._without_key(str(payload.get("model") or "")),
            )
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            start = self._clean(content.decode("utf-8", "replace"))
        raise CallError(f"the server's answer is no chat completion: {start!r}", retryable=True)

    def _clean(self, said: object) -> str:
        """What somebody else wrote, on one short line and without the key."""
        text = " ".join(self._without_key(str(said)).split())
        return text if len(text) <= 300 else text[:300] + "..."

    def _without_key(self, text: str) -> str:
        """A server that echoes the key must not get it written down."""
        return text.replace(self._key, "[key]") if self._key else text


def _text(message: dict[str, Any]) -> str:
    text = message.get("content") or message.get("refusal") or ""
    if not isinstance(text, str):
        raise TypeError("the content of the message is not text")
    return text


def _count(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) else None


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
        parts = None
    if parts is not None and ("@" in parts.netloc or parts.query):
        raise ClientSetupError(
            f"base_url {public_url(url)}: carries a user, password or query; a scenario must hold no credential. "
            "Put the key into an environment variable and name it in api_key_env"
        )
    if not complete:
        raise ClientSetupError(f"base_url {url!r} is no address; give one like http://127.0.0.1:8000/v1")
    return public_url(url)


def _key_from_environment(name: str | None) -> str:
    if name is None:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise ClientSetupError(
            f"no API key: set the environment variable {name} to the key of the server "
            f"(export {name}=...), or api_key_env to null for a server that asks for none"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ClientSetupError(
            f"the environment variable {name} holds no usable key: spaces or unprintable characters"
        )
    return key
