"""Chat completions over HTTP: OpenAI and every server that speaks its protocol (vLLM, SGLang, llama.cpp, Ollama).

Calls go through aiohttp itself. The openai package is as good a client and builds, checks and parses more than is read here: 128 calls at
once take seven times the processor time through it (benchmarks.fanout). It is what speaks to the Batch API, where a call is a whole
round.
"""

from __future__ import annotations

import json
import os
import ssl
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import truststore

from agents.llm.key import public_url
from agents.llm.openai_payload import Reader
from agents.llm.types import CallError, ClientSetupError

if TYPE_CHECKING:
    from agents.llm.types import Completion, Request

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 4.0
"""An idle connection is used again within this: uvicorn, under vLLM and SGLang, closes it after five."""
_HEADERS = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
"""Sent where the environment sets them, as the openai package does."""


class OpenAIClient:
    """Answers requests by `POST base_url/chat/completions`.

    `api_key_env` names the environment variable that holds the key; None for a server that asks for none.
    `timeout` in seconds is for one attempt as a whole, however slowly its bytes come. Proxies (HTTPS_PROXY, HTTP_PROXY,
    NO_PROXY; none of them with `direct`) and certificates (the system's, SSL_CERT_FILE, SSL_CERT_DIR) are the environment's. It opens as many connections as there are
    calls at once: bounding them is the gateway's. Use it on one event loop. Raises ClientSetupError if it cannot be made.
    """

    provider = "openai"

    def __init__(
        self,
        *,
        base_url: str = "https://api.openai.com/v1",
        api_key_env: str | None = "OPENAI_API_KEY",
        timeout: float = 120.0,
        direct: bool = False,
    ) -> None:
        self.base_url = _checked_url(base_url)
        self.label = f"OpenAI-compatible server at {self.base_url}"
        self._key_env = api_key_env
        key = key_from_environment(api_key_env)
        # Once, not by aiohttp's trust_env: that asks the environment, and ~/.netrc for a password, in a thread for each call.
        self._proxy = None if direct else proxy_from_environment(self.base_url)
        self._reader = Reader(self.base_url, api_key_env, tuple(filter(None, (key, *passwords(self._proxy)))))
        # Given with each call: headers of a session aiohttp also shows to the proxy, the key among them.
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._headers |= {
            name: os.environ[variable] for name, variable in _HEADERS.items() if os.environ.get(variable)
        }
        self._timeout = timeout
        self._trust = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"OpenAIClient(base_url={self.base_url!r}, api_key_env={self._key_env!r})"

    async def complete(self, request: Request) -> Completion:
        """Answer once; raise CallError if the attempt failed."""
        body = json.dumps(request.body()).encode("ascii")
        url = f"{self.base_url}/chat/completions"
        # The failure is raised outside the handlers: what is in its context could carry the request's headers.
        try:
            async with self._opened().post(
                url, data=body, headers=self._headers, allow_redirects=False
            ) as response:
                content = await response.read()
        except aiohttp.ConnectionTimeoutError:
            failure = CallError(
                f"no connection to {self.base_url} within {_CONNECT_SECONDS:g} s", retryable=True
            )
        except TimeoutError:
            failure = CallError(
                f"no answer from {self.base_url} within {self._timeout:g} s "
                "(raise the timeout or lower the concurrency if the server is slow)",
                retryable=True,
            )
        except (aiohttp.ClientError, OSError) as error:
            reason = self._reader.clean(error) or type(error).__name__
            failure = CallError(f"no connection to {self.base_url}, or it broke: {reason}", retryable=True)
        else:
            if 200 <= response.status < 300:
                return self._reader.completion(content)
            failure = self._reader.rejection(response.status, response.headers, content, request.model)
        raise failure

    async def aclose(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session; it is made on the event loop that it is used on."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._trust, keepalive_timeout=_IDLE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=_CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=self._proxy,
            )
        return self._session


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


def key_from_environment(name: str | None) -> str:
    """The key in a variable; "" without one. ClientSetupError if there is none in it."""
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


def proxy_from_environment(base_url: str) -> str | None:
    """What HTTPS_PROXY, HTTP_PROXY or ALL_PROXY say for this address, and NO_PROXY does not take back."""
    address = urlsplit(base_url)
    assert address.hostname is not None
    if proxy_bypass(address.hostname if address.port is None else f"{address.hostname}:{address.port}"):
        return None
    proxies = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(proxy).scheme not in ("http", "https"):
        raise ClientSetupError(
            f"the proxy {public_url(proxy)} of the environment is not spoken to over HTTP; set {address.scheme.upper()}_PROXY to "
            f"an http:// address, or NO_PROXY to {address.hostname}"
        )
    return proxy


def passwords(proxy: str | None) -> tuple[str, ...]:
    """The password in a proxy's address, as written and as meant."""
    password = urlsplit(proxy).password if proxy is not None else None
    return (password, unquote(password)) if password else ()
