"""A packed run: which files it holds, the list of them that comes first, and how none of it says where it was made."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from simulator.transcript.directory import CHALLENGERS, RECOMMENDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.transcript.directory import RunDirectory

LIST = "members.json"
FORMAT = "screentest run 1"
MOST_LIST_BYTES = 1 << 20
WEIGHTS = "recommender.pt"
REDACTED = ("scenario.yaml", "manifest.json", "training.json", "summary.json")
"""Files that may name a folder of the machine; what they say of it is cut to the last name."""
_VERBATIM = (
    "calls.jsonl",
    "proposals.jsonl",
    "turns.jsonl",
    "metrics.json",
    "per_user.parquet",
    "items.parquet",
    "users.parquet",
)
_CANDIDATES = tuple(f"candidates-{phase}.parquet" for phase in ("validation", "test"))
_NAMES = (*REDACTED, *_VERBATIM, *_CANDIDATES, WEIGHTS)
_OF_A_RECOMMENDER = ("scenario.yaml", "training.json", *_CANDIDATES, WEIGHTS)
"""In a run with arms or challengers, in a folder of its own for each."""
_FOLDER = re.compile(rf"(?:{RECOMMENDERS}|{CHALLENGERS})/[1-9][0-9]{{0,8}}")
_PATH = re.compile(r"(?<![\w:/.])/(?:[^\s/'\",;:]+/)+([^\s/'\",;:]*)")
"""An absolute path inside a sentence."""


class ArchiveError(ValueError):
    """A run cannot be packed or unpacked; the message says which file, why, and what to do."""


@dataclass(frozen=True)
class Member:
    """One file of a packed run."""

    name: str
    bytes: int
    sha256: str


def names(run: RunDirectory) -> list[str]:
    """The files of a run that may be in a packed one, in the order in which they are there."""
    own = [name for name in _NAMES if (run.path / name).is_file()]
    for each in (*run.all_trained(), *run.all_challengers()):
        if each.path != run.path:
            folder = each.path.relative_to(run.path).as_posix()
            own += [f"{folder}/{name}" for name in _OF_A_RECOMMENDER if (each.path / name).is_file()]
    return own


def is_name(name: str) -> bool:
    """Whether a run has such a file: one of a few names, or one of the folder of a recommender, and never another path."""
    folder, _, file = name.rpartition("/")
    return file in _OF_A_RECOMMENDER if _FOLDER.fullmatch(folder) else name in _NAMES


def written(members: Sequence[Member]) -> bytes:
    """The list of members as it stands in an archive."""
    listed = {"format": FORMAT, "members": [vars(member) for member in members]}
    return (json.dumps(listed, indent=1) + "\n").encode("ascii")


def read(content: bytes, where: str) -> dict[str, Member]:
    """The members by name; ArchiveError if the list is none, or names what no run holds."""
    try:
        listed = json.loads(content)
        version, entries = listed["format"], list(listed["members"])
        members = [Member(**entry) for entry in entries] if version == FORMAT else []
        wrong = [member.name for member in members if not is_name(member.name) or not member.bytes >= 0]
    except (ValueError, LookupError, TypeError) as error:
        raise ArchiveError(
            f"{where}: its {LIST} is no list of members ({error!r}); get the file again"
        ) from None
    if version != FORMAT:
        raise ArchiveError(
            f"{where}: its {LIST} says {version!r}, and this version reads {FORMAT!r}; use the version that packed it"
        )
    if wrong:
        raise ArchiveError(f"{where}: its {LIST} names {wrong[0]!r}, which is no file of a run")
    found = {member.name: member for member in members}
    if len(found) != len(members):
        raise ArchiveError(f"{where}: its {LIST} names a file twice; get the file again")
    return found


def without_places(value: Any) -> Any:
    """A JSON value in which absolute paths are cut to their last name."""
    if isinstance(value, str):
        if value.startswith("/"):
            return PurePosixPath(value).name
        return _PATH.sub(r"\1", value)
    if isinstance(value, list):
        return [without_places(inner) for inner in value]
    if isinstance(value, dict):
        return {name: without_places(inner) for name, inner in value.items()}
    return value
