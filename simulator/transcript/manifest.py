"""manifest.json: what a run was made with."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.llm.key import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PACKAGES = (
    "screentest",
    "torch",
    "mesa",
    "openai",
    "numpy",
    "pandas",
    "scipy",
    "statsmodels",
    "scikit-learn",
    "pydantic",
    "xllamacpp",
)
"""An optional one that is not installed has no version."""


@dataclass(frozen=True)
class RecordedArm:
    """What a manifest says of one arm: who was asked, and with which templates."""

    name: str
    """"" for the only arm of a run that compares nothing."""
    client: str
    """Label of who answers."""
    endpoint: Endpoint
    model_requested: str
    prompts: Mapping[str, str]
    """Content hash of each template."""
    recommender: str = ""
    """Folder of its trained recommender inside the run directory; "" is the run directory."""
    recorded_as: tuple[str, ...] = ()
    """The names of its turns, one for each history length."""
    personas: str | None = None
    """Content hash of the file of personas; not written where there is none."""


def told_of_arms(arms: Sequence[RecordedArm]) -> dict[str, Any]:
    """What a manifest holds of them: the first at its top, and each by name where there are arms to compare."""
    told = {
        arm.name: {
            name: value
            for name, value in asdict(arm).items()
            if name != "name" and (name, value) != ("personas", None)
        }
        for arm in arms
    }
    first = told[arms[0].name]
    top = {name: first[name] for name in ("client", "endpoint", "model_requested")}
    return {**top, "arms": told} if arms[0].name else top


def recorded_arms(manifest: Mapping[str, Any]) -> dict[str, RecordedArm]:
    """The arms that a manifest tells of, by name and in order; LookupError, TypeError or ValueError if it is none."""
    arms = manifest.get("arms")
    if arms is None:
        prompts = dict(manifest["hashes"]["prompts"])
        arms = {"": {name: manifest[name] for name in ("client", "endpoint", "model_requested")}}
        arms[""] |= {"prompts": prompts, "personas": manifest["hashes"].get("personas")}
    return {
        name: RecordedArm(
            name,
            **{
                **told,
                "endpoint": Endpoint(**told["endpoint"]),
                "recorded_as": tuple(told.get("recorded_as", ())),
            },
        )
        for name, told in arms.items()
    }


def environment() -> dict[str, Any]:
    """Code revision with dirty flag (None outside of a checkout), Python, platform and package versions."""
    return {
        "code": _revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def text_hash(text: str) -> str:
    """sha256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _revision() -> dict[str, Any] | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        revision = _git(root, "rev-parse", "HEAD")
        return {"revision": revision, "dirty": bool(_git(root, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()
