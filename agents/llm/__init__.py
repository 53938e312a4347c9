"""Calls to language models: requests, clients, and the gateway that makes every call end in a record.

`OpenAIClient` is in `agents.llm.openai_client`: the SDK takes most of a second to import, which runs with an
embedded audience and replays need not wait for.
"""

from agents.llm.cache import CacheError, ResponseCache
from agents.llm.gateway import Gateway
from agents.llm.key import KEY_VERSION, Endpoint, public_url, request_key
from agents.llm.record import Attempt, Journal, Record
from agents.llm.replay import ReplayMiss
from agents.llm.retry import RetryPolicy
from agents.llm.types import (
    CallError,
    ChatClient,
    ClientSetupError,
    Completion,
    Draw,
    Message,
    Request,
    Usage,
)

__all__ = [
    "KEY_VERSION",
    "Attempt",
    "CacheError",
    "CallError",
    "ChatClient",
    "ClientSetupError",
    "Completion",
    "Draw",
    "Endpoint",
    "Gateway",
    "Journal",
    "Message",
    "Record",
    "ReplayMiss",
    "Request",
    "ResponseCache",
    "RetryPolicy",
    "Usage",
    "public_url",
    "request_key",
]
