"""The client of a local model: starts its server at the first call, asks it over HTTP, stops it when closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agents.llm.openai_client import OpenAIClient
from agents.llm.types import CallError, ClientSetupError
from agents.local.server import LlamaServer, check_engine
from agents.local.weights import find_weights

if TYPE_CHECKING:
    from agents.llm.types import Completion, Request
    from agents.local.server import ServerSettings

_DIGITS = 16
"""Of the weights' hash, in the provider."""
_CONTEXT = "context size"
"""What llama.cpp says of a prompt that is too long."""


class LocalClient:
    """Answers by the weights that `model` names: smollm2, or the path of a GGUF file.

    What the model is, is in `provider`, by the hash of its weights, and `base_url` is "": where the file lies and the port of
    the server enter no key, so a recording replays anywhere. The server is started by the first call, since a dry run
    and a run whose answers are all at hand need none. `timeout` in seconds is for one attempt, from the moment that the server
    has a slot for it. Use it on one event loop. Raises ClientSetupError if engine or weights are missing or damaged, and from
    `complete` if the server does not come up.
    """

    base_url = ""

    def __init__(self, model: str, settings: ServerSettings, *, timeout: float = 600.0) -> None:
        check_engine()
        self._weights = find_weights(model)
        self._settings, self._timeout = settings, timeout
        self.provider = f"local:{self._weights.sha256[:_DIGITS]}"
        toy = ", SmolLM2-135M: a toy of a model" if self._weights.is_toy else ""
        self.label = f"local model {self._weights.name} by llama.cpp{toy}"
        self._slots = asyncio.Semaphore(settings.slots)
        self._serving: asyncio.Task[tuple[LlamaServer, OpenAIClient]] | None = None

    async def complete(self, request: Request) -> Completion:
        """Answer once; raise CallError if the attempt failed."""
        async with self._slots:
            if self._serving is None:
                self._serving = asyncio.create_task(self._serve())
            # Shielded: a caller that is cancelled must not take the start of the server from the others, nor lose it.
            _, client = await asyncio.shield(self._serving)
            try:
                return await client.complete(request)
            except CallError as failure:
                if failure.retryable or _CONTEXT not in str(failure):
                    raise
                raise CallError(
                    f"{failure}: raise users.local.context, or lower prompts.memory_tokens",
                    retryable=False,
                    status=failure.status,
                ) from failure

    async def aclose(self) -> None:
        """Stop the server, if there is one."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        try:
            server, client = await serving
        except ClientSetupError:
            return  # it never came up, and whoever asked was told
        await client.aclose()
        await asyncio.to_thread(server.stop)

    async def _serve(self) -> tuple[LlamaServer, OpenAIClient]:
        server = await asyncio.to_thread(LlamaServer, self._weights, self._settings)
        client = OpenAIClient(
            base_url=server.base_url,
            api_key_env=None,
            timeout=self._timeout,
            direct=True,
        )
        return server, client
