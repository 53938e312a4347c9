"""What took long to make is kept under a hash of what it was made from; two processes at once make it once."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIABLE = "SCREENTEST_CACHE"


class CacheFolderError(ValueError):
    """The folder for cached things cannot be used; the message says which and what to do."""


def cache_folder(kind: str) -> Path:
    """The folder of one kind of cached things inside $SCREENTEST_CACHE, or of the place the operating system has for caches."""
    root = os.environ.get(_VARIABLE)
    return (Path(root) if root else user_cache_path("screentest")) / kind


def content_key(*parts: str | bytes) -> str:
    """A hash (hex) of the parts and of where each ends."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()


def cached_folder(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of `key`, made by `make(folder)` if it is not there.

    It appears whole or not at all: `make` writes into a folder beside it, which is renamed at the end. A second process
    that asks for the same key waits and then finds it. What `make` raises leaves nothing behind.
    """
    home = cache_folder(kind)
    target = home / key
    if target.is_dir():
        return target
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheFolderError(
            f"{home}: cannot be made ({error.strerror}); set {_VARIABLE} to a folder that can be written"
        ) from error
    with FileLock(home / f"{key}.lock"):
        if not target.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f".{key[:12]}-", dir=home))
            try:
                make(unfinished)
                unfinished.chmod(0o755)
                target.unlink(missing_ok=True)  # a file has no business there
                unfinished.rename(target)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
    return target
