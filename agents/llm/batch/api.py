"""The Batch API over HTTP, one exchange at a time."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import truststore
from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, DefaultAsyncHttpxClient

from agents.llm.batch.lines import ENDPOINT
from agents.llm.openai_client import key_from_environment, passwords, proxy_from_environment
from agents.llm.openai_payload import Reader
from agents.llm.types import CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from agents.llm.batch.lines import Line
    from agents.llm.types import Completion

_MARK = "screentest"
"""Name of the metadata by which a batch is found again."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_PAGE = 100
_CLOCKS_APART = 24 * 3600.0
"""Seconds by which the server's clock may differ from ours."""
_TRANSFER_SECONDS = 600.0
"""A file of 200 MB takes longer than an answer."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Batch:
    """A batch as the server describes it."""

    id: str
    status: str
    token: str | None
    created: float
    """Seconds since 1970, by the server's clock."""
    output_file: str | None
    error_file: str | None
    total: int
    completed: int
    failed: int
    errors: str
    """Why it failed as a whole, in the server's words."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it will change any more."""
        return self.status in _ENDED


class BatchApi:
    """Uploads, creates, looks up and downloads; every method raises CallError if its exchange failed.

    `base_url`, `api_key_env` and `timeout` (of what moves no files) are those of OpenAIClient, and so are proxies and certificates.
    """

    def __init__(self, base_url: str, *, api_key_env: str | None, timeout: float) -> None:
        key, proxy = key_from_environment(api_key_env), proxy_from_environment(base_url)
        self._base_url, self._timeout = base_url, timeout
        self._reader = Reader(base_url, api_key_env, tuple(filter(None, (key, *passwords(proxy)))))
        self._sdk = AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            max_retries=0,  # the gateway's retry policy is the only one
            timeout=_TRANSFER_SECONDS,
            http_client=DefaultAsyncHttpxClient(
                proxy=proxy,
                verify=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                trust_env=False,  # what the environment says of proxies has been read above
            ),
        )

    async def upload(self, content: bytes, name: str) -> str:
        """Send an input file; the server's name of it."""

        async def send(sdk: AsyncOpenAI) -> bytes:
            file = (name, content, "application/jsonl")
            answer = await sdk.files.with_raw_response.create(file=file, purpose="batch")
            return answer.content

        said = await self._exchange(send, self._absent(), _TRANSFER_SECONDS)
        return self._understood(said, lambda fields: str(fields["id"]))

    async def create(self, file: str, token: str) -> Batch:
        """Have the requests of an input file carried out, as a batch that is marked with `token`."""

        async def send(sdk: AsyncOpenAI) -> bytes:
            answer = await sdk.batches.with_raw_response.create(
                input_file_id=file, endpoint=ENDPOINT, completion_window="24h", metadata={_MARK: token}
            )
            return answer.content

        return self._understood(await self._exchange(send, self._absent()), self._batch)

    async def retrieve(self, batch_id: str) -> Batch:
        """How a batch stands."""

        async def send(sdk: AsyncOpenAI) -> bytes:
            return (await sdk.batches.with_raw_response.retrieve(batch_id)).content

        return self._understood(await self._exchange(send, _gone(batch_id)), self._batch)

    async def find(self, token: str, planned: datetime) -> Batch | None:
        """The batch that is marked with `token` and was not sent before it was `planned`; None if the server has none."""
        after: str | None = None
        while True:
            said = await self._exchange(_listing(after), self._absent())
            found, more = self._understood(said, self._page)
            for batch in found:
                if batch.token == token:
                    return batch
            # Newest first: behind a batch that is much older than the plan there is none of it.
            if not found or not more or found[-1].created < planned.timestamp() - _CLOCKS_APART:
                return None
            after = found[-1].id

    async def content(self, file: str) -> bytes:
        """The content of an output or error file."""

        async def send(sdk: AsyncOpenAI) -> bytes:
            return (await sdk.files.with_raw_response.content(file)).content

        return await self._exchange(send, _gone(file), _TRANSFER_SECONDS)

    def completion(self, line: Line, model: str) -> Completion:
        """The answer in a line that has a status; CallError says why it is none."""
        assert line.status is not None
        body = json.dumps(line.body).encode()
        if line.status == 200:
            return self._reader.completion(body)
        raise self._reader.rejection(line.status, {}, body, model)

    def clean(self, said: object) -> str:
        """What the server wrote, on one short line and without secrets."""
        return self._reader.clean(said)

    async def aclose(self) -> None:
        """Release connections."""
        await self._sdk.close()

    async def _exchange(
        self,
        send: Callable[[AsyncOpenAI], Awaitable[bytes]],
        absent: str,
        seconds: float | None = None,
    ) -> bytes:
        """What one exchange brings, within `seconds` (the timeout if not given); `absent` is what 404 means."""
        seconds = seconds or self._timeout
        # The failure is raised outside the handlers: an SDK error in its context would carry the request's headers.
        try:
            async with asyncio.timeout(seconds):
                return await send(self._sdk)
        except (TimeoutError, APITimeoutError):
            failure = CallError(f"no answer from {self._base_url} within {seconds:g} s", retryable=True)
        except APIStatusError as error:
            failure = self._rejection(error.response, absent)
        except APIConnectionError as error:
            reason = self.clean(error.__cause__ or error)
            failure = CallError(f"no connection to {self._base_url}, or it broke: {reason}", retryable=True)
        raise failure

    def _rejection(self, response: httpx2.Response, absent: str) -> CallError:
        status, content = response.status_code, response.content
        # The reader's words for these are about a model.
        about = {403: "the key may not use the Batch API", 404: absent, 405: absent}.get(status)
        if about is None:
            return self._reader.rejection(status, response.headers, content, model="")
        said = self._reader.words(content)
        return CallError(f"HTTP {status}: {about}: {said}", retryable=False, status=status)

    def _absent(self) -> str:
        return f"{self._base_url} has no Batch API; send call by call instead (users.send: single)"

    def _understood(self, content: bytes, read: Callable[[Any], _T]) -> _T:
        try:
            return read(json.loads(content))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            start = self.clean(content.decode("utf-8", "replace"))
        raise CallError(f"the server's answer is none of the Batch API: {start!r}", retryable=True)

    def _page(self, fields: dict[str, Any]) -> tuple[list[Batch], bool]:
        return [self._batch(each) for each in fields["data"]], bool(fields.get("has_more"))

    def _batch(self, fields: dict[str, Any]) -> Batch:
        counts = fields.get("request_counts") or {}
        told = [
            (f"line {each['line']}: " if each.get("line") is not None else "")
            + " ".join(str(each[name]) for name in ("code", "message") if each.get(name))
            for each in (fields.get("errors") or {}).get("data") or []
        ]
        return Batch(
            id=str(fields["id"]),
            status=str(fields["status"]),
            token=(fields.get("metadata") or {}).get(_MARK),
            created=float(fields["created_at"]),
            # Servers say null or "" where there is no file.
            output_file=fields.get("output_file_id") or None,
            error_file=fields.get("error_file_id") or None,
            total=int(counts.get("total") or 0),
            completed=int(counts.get("completed") or 0),
            failed=int(counts.get("failed") or 0),
            errors=self.clean("; ".join(told) or "no reason given"),
        )


def _gone(name: str) -> str:
    return (
        f"the server does not know {name}: it belongs to another key or project, or was removed. Resume the run with the key "
        "that sent it; if it is gone for good, delete the run's batches.jsonl, and its calls are paid for again"
    )


def _listing(after: str | None) -> Callable[[AsyncOpenAI], Awaitable[bytes]]:
    page: dict[str, Any] = {"limit": _PAGE} if after is None else {"limit": _PAGE, "after": after}

    async def send(sdk: AsyncOpenAI) -> bytes:
        # Not `sdk.batches.list`, whose pages hide what the server said.
        return (await sdk.get("/batches", cast_to=httpx2.Response, options={"params": page})).content

    return send
