"""A YAML file read into a typed model, every mistake in it named with file and line."""

from __future__ import annotations

import difflib
import re
import types
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue, ValidationError
from ruamel.yaml import YAML, MappingNode, SequenceNode
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails
    from ruamel.yaml import Node

Loc = tuple[str | int, ...]
"""Keys and list positions that lead to a value."""
_Model = TypeVar("_Model", bound=BaseModel)


_KEY_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"}
_WISHES = {
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a section of keys",
    "model_type": "should be a section of keys",
    "invalid-json-value": "should be text, a number, true, false, null, a list or a section of keys",
}
"""What the model's own messages say in words of Python."""
_SUBJECT = re.compile(r"^(?:Value error, |(?:Input|String|Tuple|List|Dictionary|Value) (?=should))")


class DocumentError(ValueError):
    """A YAML document is wrong: one line for each mistake, each with its place and what to do."""


@dataclass(frozen=True)
class Document:
    """The value of a YAML text and where each part of it stands."""

    value: JsonValue
    places: Mapping[Loc, str]
    """What to call the place of a value ("file:line"); a value without one of its own has that of its parent."""

    def place(self, loc: Loc) -> str:
        """Where `loc`, or the nearest thing around it that exists, stands."""
        return next(self.places[loc[:n]] for n in range(len(loc), -1, -1) if loc[:n] in self.places)


def parse(text: str, source: str, *, lines: bool = True) -> Document:
    """Read YAML 1.2; DocumentError on bad syntax, a duplicate key, a tag, or a text that refers to itself.

    `lines` is False where the text is no file, so that its source alone says where it is.
    """
    origin = _Origin(source, lines)
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        places: dict[Loc, str] = {(): origin.line(0)}
        if node is not None:
            places |= _walk(node, (), origin, ())
        return Document(YAML(typ="safe", pure=True).load(text), places)
    except DuplicateKeyError as error:
        # The library's own text repeats the values, which may be secrets.
        key = re.search(r'duplicate key "([^"]*)"', str(error.problem))
        raise DocumentError(f"{origin.of(error)}: key {key[1] if key else ''!r} is given twice") from None
    except MarkedYAMLError as error:
        problem = str(error.problem or error.context).strip().splitlines()[0]
        raise DocumentError(f"{origin.of(error)}: {problem}") from None
    except (YAMLError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"{source}: not readable as YAML: {str(error).splitlines()[0]}") from None


@dataclass(frozen=True)
class _Origin:
    source: str
    lines: bool

    def line(self, number: int) -> str:
        """The place of a line, counted from 0 as the parser does."""
        return f"{self.source}:{number + 1}" if self.lines else self.source

    def of(self, error: MarkedYAMLError) -> str:
        mark = error.problem_mark or error.context_mark
        return self.source if mark is None else self.line(mark.line)


def build(model: type[_Model], document: Document) -> _Model:
    """The document's value as a model; DocumentError with one line for each thing that does not fit."""
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        lines = list(_mistakes(model, document, error.errors(include_url=False)))
        raise DocumentError("\n".join(lines)) from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: the known word nearest to `word`, or else what is known."""
    words = sorted(known)
    near = _near(word, words)
    return f"; did you mean {near[0]!r}?" if near else _known(words)


def _near(word: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)


def _known(words: Iterable[str]) -> str:
    names = ", ".join(sorted(words))
    return f"; known are {names}" if names else ""


def dotted(loc: Loc) -> str:
    """A place as one writes it: `users.standin.noise`, `cutoffs[1]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _walk(node: Node, loc: Loc, origin: _Origin, above: tuple[int, ...]) -> dict[Loc, str]:
    if id(node) in above:
        raise DocumentError(f"{origin.line(node.start_mark.line)}: this value contains itself")
    above = (*above, id(node))
    places: dict[Loc, str] = {}
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if str(key.tag) not in _KEY_TAGS:
                raise DocumentError(
                    f"{origin.line(key.start_mark.line)}: a key should be a word, put it in quotes"
                )
            here = (*loc, str(key.value))
            places[here] = origin.line(key.start_mark.line)
            places |= _walk(value, here, origin, above)
    elif isinstance(node, SequenceNode):
        for position, value in enumerate(node.value):
            here = (*loc, position)
            places[here] = origin.line(value.start_mark.line)
            places |= _walk(value, here, origin, above)
    return places


def _mistakes(model: type[BaseModel], document: Document, errors: list[ErrorDetails]) -> Iterator[str]:
    # A value that may be of several types yields an error for each, under a place that names the type: join them.
    grouped: dict[Loc, list[ErrorDetails]] = defaultdict(list)
    missing: list[Loc] = []
    for error in errors:
        if error["type"] == "missing":
            missing.append(error["loc"])
        else:
            grouped[_real(error["loc"], document.value)].append(error)
    meant: set[Loc] = set()
    for loc, group in grouped.items():
        place, first = document.place(loc), group[0]
        if first["type"] == "extra_forbidden":
            name, known = str(loc[-1]), _keys(model, loc[:-1])
            elsewhere = [leaf for leaf in _leaves(model) if leaf.split(".")[-1] == name]
            near = elsewhere or [dotted((*loc[:-1], key)) for key in _near(name, known)]
            meant.add(tuple(near[0].split(".")) if near else ())
            hint = f"; did you mean {near[0]!r}?" if near else _known(known)
            yield f"{place}: unknown key {dotted(loc)!r}{hint}"
        else:
            wishes = dict.fromkeys(_wish(error) for error in group)
            got = "" if first["type"] == "value_error" else _got(first["input"])
            yield f"{place}: {dotted(loc) or 'the document'} {' or '.join(wishes)}{got}"
    # A key that was misspelt is not reported a second time as missing.
    yield from (f"{document.place(loc)}: {dotted(loc)} is missing" for loc in missing if loc not in meant)


def _wish(error: ErrorDetails) -> str:
    return _WISHES.get(error["type"]) or _SUBJECT.sub("", error["msg"])


def _real(loc: Loc, value: JsonValue) -> Loc:
    """The part of an error's place that exists in the document; what follows names alternatives of a type."""
    for n, part in enumerate(loc):
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return loc[:n]
    return loc


def _got(value: object) -> str:
    if isinstance(value, str):
        return f", not {value!r}" if len(value) <= 60 else f", not {value[:57]!r}..."
    if isinstance(value, dict | list):
        return f", not a {'section of keys' if isinstance(value, dict) else 'list'}"
    return f", not {'null' if value is None else str(value).lower()}"


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that the section at `loc` knows."""
    section: type[BaseModel] | None = model
    for part in loc:
        if section is None:
            return []
        field = section.model_fields.get(str(part))
        # A part that names no field is the key of a mapping of sections, or a place in a list of them.
        section = _section(field.annotation) if field else section
    return list(section.model_fields) if section else []


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        yield f"{prefix}{name}"
        if section is not None:
            yield from _leaves(section, f"{prefix}{name}.")


def _section(annotation: object) -> type[BaseModel] | None:
    """The model a field holds, alone, as an option, or as the values of a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {Union, types.UnionType, dict}:
        return next((s for s in map(_section, get_args(annotation)) if s is not None), None)
    return None
