"""The key of a call: what makes two calls the same call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from agents.llm.canonical import canonical_json

if TYPE_CHECKING:
    from agents.llm.types import ChatClient, Request

KEY_VERSION = 1
"""Raised whenever the meaning of the hashed parts changes, so that old records are never mistaken for new."""


@dataclass(frozen=True)
class Endpoint:
    """Who answers: the part of a key that comes from the client. A replay has no client, so a run writes it down."""

    provider: str
    base_url: str
    """Without credentials; "" for embedded clients."""

    @classmethod
    def of(cls, client: ChatClient) -> Endpoint:
        """Where this client's answers come from."""
        return cls(client.provider, public_url(client.base_url))


@lru_cache(maxsize=1 << 10)
def public_url(url: str) -> str:
    """The address without anything that can carry a credential (user, password, query, fragment)."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def request_key(request: Request, provider: str, base_url: str) -> str:
    """Hexadecimal sha256 over the whole body as sent, who is asked, whose draw it is, and the key version.

    No time enters it, and neither do credentials, timeouts, retries or concurrency: none changes the question.
    """
    material = {
        "version": KEY_VERSION,
        "provider": provider,
        "base_url": public_url(base_url),
        "body": request.body(),
        "draw": request.draw.fields(),
    }
    return hashlib.sha256(canonical_json(material).encode("ascii")).hexdigest()
