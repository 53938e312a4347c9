"""Calls to language models: requests, clients, and the gateway that makes every call end in a record.

`OpenAIClient` is in `agents.llm.openai_client`, which runs with an embedded audience and replays need not wait for.
"""

from agents.llm.budget import Account, Budget
from agents.llm.cache import CacheError, ResponseCache
from agents.llm.call import Pace
from agents.llm.gateway import Gateway
from agents.llm.halt import EndpointRefuses, Halt
from agents.llm.key import KEY_VERSION, Endpoint, public_url, request_key
from agents.llm.prices import FREE, OwnPrices, Prices, published
from agents.llm.purse import BudgetReached, Caps, Spent
from agents.llm.record import Answers, Attempt, Journal, Record
from agents.llm.replay import ReplayMiss
from agents.llm.retry import RetryPolicy
from agents.llm.tokens import TokenCounter, token_counter
from agents.llm.types import (
    CallError,
    ChatClient,
    ClientSetupError,
    Completion,
    Draw,
    Message,
    Request,
    TokenLogprob,
    Usage,
)

__all__ = [
    "FREE",
    "KEY_VERSION",
    "Account",
    "Answers",
    "Attempt",
    "Budget",
    "BudgetReached",
    "CacheError",
    "CallError",
    "Caps",
    "ChatClient",
    "ClientSetupError",
    "Completion",
    "Draw",
    "Endpoint",
    "EndpointRefuses",
    "Gateway",
    "Halt",
    "Journal",
    "Message",
    "OwnPrices",
    "Pace",
    "Prices",
    "Record",
    "ReplayMiss",
    "Request",
    "ResponseCache",
    "RetryPolicy",
    "Spent",
    "TokenCounter",
    "TokenLogprob",
    "Usage",
    "public_url",
    "published",
    "request_key",
    "token_counter",
]
