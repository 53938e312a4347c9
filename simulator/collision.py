"""Whether the top-level names Screentest uses are its own, asked before anything else is imported.

Python knows one package of a name. `agents` or `prompts` of another distribution, found first or unpacked into the same
folder, would end in an import error far from its cause. Standard library only: nothing of ours may be imported yet.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path

_NAMES = ("agents", "prompts", "recommender", "scenarios")
_SELF = "screentest"
_ADVICE = (
    "Screentest needs these names for itself: install it into a virtual environment of its own "
    "(python3 -m venv .venv), and start it in a folder without a package of that name."
)


class NameCollisionError(ImportError):
    """A top-level name of ours leads elsewhere; the message says which, whose it is and what to do."""


def check_top_level_names(home: Path | None = None) -> None:
    """Raise NameCollisionError unless `agents`, `prompts`, `recommender` and `scenarios` are those in `home`.

    `home` is the folder that holds `simulator`, and by default the one this file was loaded from.
    """
    home = (home or Path(__file__).parent.parent).resolve()
    claims = _others(home)
    for name in _NAMES:
        found = _folder(name)
        if found is None:
            raise NameCollisionError(
                f"package {name!r} is not beside 'simulator' in {home}: the installation is incomplete; install again."
            )
        if found != home / name:
            owner = _others(found.parent).get(name)
            whose = f"belongs to {owner}" if owner else "is no part of Screentest"
            raise NameCollisionError(f"package {name!r} is found in {found}, which {whose}. {_ADVICE}")
        if name in claims:
            raise NameCollisionError(
                f"package {name!r} in {home} is mixed with files of {claims[name]}, which installs the same name. {_ADVICE}"
            )


def exit_on_collision() -> None:
    """Say on standard error what collides and leave with exit code 2; return if nothing does."""
    try:
        check_top_level_names()
    except NameCollisionError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command line's message
        raise SystemExit(2) from None


def _folder(name: str) -> Path | None:
    """The folder a package would be imported from (for a module, its file); None if there is none."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin).resolve() if spec.origin else None


def _others(folder: Path) -> dict[str, str]:
    """Those of our names under which another distribution installed files into a folder, and which one."""
    top = re.compile(rf"^({'|'.join(_NAMES)})(?:/|\.py,)", re.MULTILINE)
    found: dict[str, str] = {}
    # The records as text: asking importlib.metadata for every distribution takes a second in a large environment.
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        names = set(top.findall(record.read_text(encoding="utf-8", errors="replace")))
        owner = importlib.metadata.Distribution.at(record.parent) if names else None
        if owner is not None and owner.name.lower() != _SELF:
            found |= dict.fromkeys(names, f"{owner.name} {owner.version}")
    return found
