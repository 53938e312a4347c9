"""A scenario file, overrides put in their places, read into a typed model; and back."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel
from ruamel.yaml import YAML

from scenarios.document import Document, DocumentError, build, did_you_mean, dotted, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from scenarios.document import Loc

_SHIPPED = "scenarios"
_Model = TypeVar("_Model", bound=BaseModel)


class ScenarioError(ValueError):
    """A scenario cannot be run as it stands; the message has one line for each mistake: where, what, what to do."""


def read(model: type[_Model], path: Path, overrides: Sequence[str] = ()) -> _Model:
    """The scenario in a file as `model`, with overrides (`users.count=50`, value in YAML) put in its place.

    `scenarios/NAME.yaml` finds the shipped file of that name where the current folder has none. Paths inside are
    relative to the current folder. Raises ScenarioError naming `file:line` or `--set KEY` of each mistake.
    """
    return typed(model, read_document(path, overrides))


def read_document(path: Path, overrides: Sequence[str] = ()) -> Document:
    """As `read`, before it is a model: the value of the file, overrides in their place, and where each part stands."""
    found = find(path)
    try:
        text = found.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{found}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{found}: not UTF-8 at byte {error.start}") from None
    try:
        document = parse(text, str(found))
        if not isinstance(document.value, dict):
            raise ScenarioError(
                f"{found}:1: a scenario is a mapping of keys to values, such as `name: cold_start`"
            )
        return _overridden(document, overrides)
    except DocumentError as error:
        raise ScenarioError(str(error)) from None


def typed(model: type[_Model], document: Document) -> _Model:
    """The document's value as `model`; ScenarioError naming the place of each mistake."""
    try:
        return build(model, document)
    except DocumentError as error:
        raise ScenarioError(str(error)) from None


def changed(document: Document, key: str, new: JsonValue, place: str) -> Document:
    """The document with the value at a dotted `key` replaced; a mistake in it is told to be at `place`."""
    return _put(document, tuple(key.split(".")), Document(new, {(): place}), place)


def find(path: Path) -> Path:
    """The file `path` names: itself, or the shipped `scenarios/...`; ScenarioError if there is neither."""
    if path.exists():
        return path
    shipped = Path(str(files(_SHIPPED)))
    within = shipped.joinpath(*path.parts[1:])
    if path.parts[:1] == (_SHIPPED,) and ".." not in path.parts and within.is_file():
        return within
    names = [f"{_SHIPPED}/{file.name}" for file in shipped.glob("*.yaml")]
    raise ScenarioError(f"no scenario file {path}{did_you_mean(str(path), names)}")


def dump(scenario: BaseModel) -> str:
    """The scenario with every default written out, as YAML that loads back equal."""
    return written(scenario.model_dump(mode="json"))


def written(value: JsonValue) -> str:
    """The value of a scenario as YAML that loads back equal."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.representer.sort_base_mapping_type_on_output = False  # keep the order of the schema
    yaml.width = 4096
    yaml.allow_unicode = True
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()


def _overridden(document: Document, overrides: Sequence[str]) -> Document:
    for override in overrides:
        key, equals, text = override.partition("=")
        name = f"--set {key.strip()}"
        loc: Loc = tuple(key.strip().split("."))
        if not equals or not all(loc):
            # What follows may be a secret that was mistyped: only the part before "=" is repeated.
            raise ScenarioError(f"{name}: write --set KEY=VALUE, such as --set users.count=50")
        document = _put(document, loc, parse(text, name, lines=False), name)
    return document


def _put(document: Document, loc: Loc, new: Document, name: str) -> Document:
    value = _replaced(document.value, loc, new.value, name)
    places = {at: place for at, place in document.places.items() if at[: len(loc)] != loc}
    # A section that is only there because of this value is a mistake of this value, where it is one.
    places |= {loc[:n]: name for n in range(1, len(loc)) if loc[:n] not in places}
    places |= {loc + at: place for at, place in new.places.items()}
    return Document(value, places)


def _replaced(value: JsonValue, loc: Loc, new: JsonValue, name: str, depth: int = 0) -> JsonValue:
    if depth == len(loc):
        return new
    if value is not None and not isinstance(value, dict):
        raise ScenarioError(f"{name}: {dotted(loc[:depth])} is a value, not a section of keys")
    section, key = value or {}, str(loc[depth])
    return {**section, key: _replaced(section.get(key), loc, new, name, depth + 1)}
