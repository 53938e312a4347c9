"""What answers from outside of this process, or is somebody's own; nothing here needs data, or a library of tensors."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scenarios.reading import ScenarioError

if TYPE_CHECKING:
    from agents.llm import ChatClient
    from simulator.scenario.schema import Users

_MOST_SLOTS = 4
"""Of a local model's server, unless a scenario says otherwise: each takes memory, and more bring little on a CPU."""


def make_model_client(users: Users) -> ChatClient:
    """What answers from outside, or a model of one's own; ClientSetupError or ScenarioError says what is missing."""
    if users.client == "openai":
        # Imported here: embedded audiences need not wait for a client.
        from agents.llm.openai_client import OpenAIClient  # noqa: PLC0415

        address: dict[str, Any] = {} if users.base_url is None else {"base_url": users.base_url}
        return OpenAIClient(**address, api_key_env=users.api_key_env, timeout=users.timeout_s)
    if users.client == "local":
        return _local_model(users)
    module, _, name = users.client.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ScenarioError(f"users.client: {users.client!r} cannot be imported: {error}") from error
    client: ChatClient = factory(users)
    return client


def _local_model(users: Users) -> ChatClient:
    # Imported here, as above.
    from joblib import cpu_count  # noqa: PLC0415

    from agents.local.client import LocalClient  # noqa: PLC0415
    from agents.local.server import ServerSettings  # noqa: PLC0415

    assert users.model is not None
    settings = ServerSettings(
        context=users.local.context,
        slots=users.local.slots or min(users.concurrency, _MOST_SLOTS),
        threads=users.local.threads or max(1, cpu_count() // 2),
    )
    return LocalClient(users.model, settings, timeout=users.timeout_s)
