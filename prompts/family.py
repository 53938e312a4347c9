"""A family: the templates that belong together, and `family.yaml`, which says what each is and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from prompts.template import Template, TemplateError
from prompts.titles import inline
from scenarios.document import Document, DocumentError, build, did_you_mean, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Module = Literal["system", "profile", "memory", "feedback"]

_FIELDS: Mapping[Module, frozenset[str]] = {
    "system": frozenset(),
    "profile": frozenset({"name", "gender", "age", "location", "occupation", "behaviour", "interests"}),
    "memory": frozenset({"name", "history"}),
    "feedback": frozenset({"name", "candidates"}),
}
"""What a template of each module may insert."""
_REQUIRED: Mapping[Module, frozenset[str]] = {
    "system": frozenset(),
    "profile": frozenset({"name"}),
    "memory": frozenset({"history"}),
    "feedback": frozenset({"candidates"}),
}
"""What a template of each module is for: without it, it would ask about nothing."""
_LIST_FIELDS = {"history": frozenset({"title", "rating"}), "candidates": frozenset({"title"})}


class Asks(NamedTuple):
    """Which decisions a feedback template asks for."""

    accept: bool
    rank: bool
    yes_or_no: bool = False
    """Of one candidate, in one word."""


@dataclass(frozen=True)
class ListForm:
    """How the items of a list are written into `{history}` or `{candidates}`."""

    item: Template
    separator: str

    def join(self, rows: Iterable[Mapping[str, str | None]]) -> str:
        """One text of all rows (each with `title`, in a history also `rating`), every value made harmless first."""
        return self.separator.join(
            self.item.render({key: value and inline(value) for key, value in row.items()}) for row in rows
        )

    @cached_property
    def row(self) -> Callable[[str, float | None], str]:
        """One row of a title and, in a history, its rating. Remembered: the same items are listed over and over."""

        @lru_cache(maxsize=1 << 16)
        def write(title: str, rating: float | None) -> str:
            return self.join([{"title": title, "rating": None if rating is None else f"{rating:g}"}])

        return write


@dataclass(frozen=True)
class Family:
    """The checked templates of one folder, by name."""

    name: str
    folder: Path
    templates: Mapping[str, Template]
    modules: Mapping[str, Module]
    history: ListForm
    """How what was watched is listed in `{history}`."""
    candidates: ListForm
    """How what is recommended is listed in `{candidates}`."""
    asks: Mapping[str, Asks]
    """For each feedback template, what it asks for."""

    def template(self, name: str, module: Module | None = None) -> Template:
        """The template called `name`; TemplateError if there is none, or if it is not of the given module."""
        known = [n for n in self.templates if module in {None, self.modules[n]}]
        if name not in known:
            kind = f" {module}" if module else ""
            raise TemplateError(
                f"{self.folder / _METADATA}: family {self.name!r} has no{kind} template {name!r}"
                f"{did_you_mean(name, known)}"
            )
        return self.templates[name]

    def asked(self, name: str) -> Asks:
        """What the feedback template called `name` asks for; TemplateError if there is none."""
        self.template(name, "feedback")
        return self.asks[name]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    module: Module
    file: str
    fields: list[str]
    asks: list[Literal["accept", "rank", "yes_or_no"]] = Field(default_factory=list)
    source: str = ""


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    item: str
    separator: str


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    source: str
    notes: str = ""
    history: _List
    candidates: _List
    templates: dict[str, _Entry]


_METADATA = "family.yaml"


def load_family(name_or_path: str | Path) -> Family:
    """The family shipped under a name, or that of a folder of yours (a path, or a name with a slash or a dot in it).

    Raises TemplateError with file and line for a folder that is not there, metadata that do not fit, a broken
    template, and a field that a template lacks, does not know, or declares and does not use.
    """
    folder = _folder(name_or_path)
    path = folder / _METADATA
    try:
        document = parse(_read(path, "every family needs one"), str(path))
        metadata = build(_Metadata, document)
    except DocumentError as error:
        raise TemplateError(str(error)) from None
    forms = {"history": metadata.history, "candidates": metadata.candidates}
    templates = {
        name: _load(name, entry, folder, document, forms) for name, entry in metadata.templates.items()
    }
    return Family(
        name=metadata.name,
        folder=folder,
        templates=MappingProxyType(templates),
        modules=MappingProxyType({name: entry.module for name, entry in metadata.templates.items()}),
        history=_list("history", metadata.history, document),
        candidates=_list("candidates", metadata.candidates, document),
        asks=MappingProxyType(
            {
                name: Asks(*(what in entry.asks for what in Asks._fields))
                for name, entry in metadata.templates.items()
                if entry.module == "feedback"
            }
        ),
    )


def _folder(name_or_path: str | Path) -> Path:
    shipped = Path(str(files("prompts"))) / "families"
    text = str(name_or_path)
    folder = Path(text) if isinstance(name_or_path, Path) or set(text) & set("/\\.") else shipped / text
    if not folder.is_dir():
        known = [entry.name for entry in shipped.iterdir() if entry.is_dir()]
        raise TemplateError(f"no prompt family {text!r}: {folder} is not a folder{did_you_mean(text, known)}")
    return folder


def _read(path: Path, why: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror or error}; {why}") from None
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}: not UTF-8 at byte {error.start}") from None


def _load(name: str, entry: _Entry, folder: Path, document: Document, forms: Mapping[str, _List]) -> Template:
    at = ("templates", name)
    path = folder / entry.file
    text = _read(path, f"named by {document.place((*at, 'file'))}").removesuffix("\n")
    lists = [form.model_dump_json() for field, form in forms.items() if field in entry.fields]
    template = Template.parse(text, str(path), context="\n".join(lists))
    known, required, declared = _FIELDS[entry.module], _REQUIRED[entry.module], set(entry.fields)
    for field in sorted(declared - known):
        raise TemplateError(
            f"{document.place((*at, 'fields'))}: a {entry.module} template has no field {field!r}"
            f"{did_you_mean(field, known)}"
        )
    for field, line in template.fields.items():
        if field not in declared:
            raise TemplateError(
                f"{path}:{line}: unknown placeholder {{{field}}}{did_you_mean(field, declared)}"
                f" (fields are declared at {document.place((*at, 'fields'))})"
            )
    for field in sorted(declared - template.fields.keys()):
        raise TemplateError(
            f"{path}:1: placeholder {{{field}}} is unused, though {document.place((*at, 'fields'))} declares it"
        )
    for field in sorted(required - declared):
        raise TemplateError(
            f"{path}:1: placeholder {{{field}}} is missing; a {entry.module} template needs it"
        )
    if (entry.module == "feedback") != bool(entry.asks):
        raise TemplateError(
            f"{document.place(at)}: "
            + (
                f"template {name!r} asks for nothing; say `asks: [accept]`, [rank] or both, or [yes_or_no]"
                if entry.module == "feedback"
                else f"a {entry.module} template asks for nothing; leave `asks` out"
            )
        )
    if "yes_or_no" in entry.asks and len(entry.asks) > 1:
        raise TemplateError(
            f"{document.place((*at, 'asks'))}: yes_or_no is about one candidate, accept and rank are about a list; make two "
            "templates"
        )
    return template


def _list(name: Literal["history", "candidates"], form: _List, document: Document) -> ListForm:
    place = document.place((name, "item"))
    item = Template.parse(form.item, place)
    for field in item.fields:
        if field not in _LIST_FIELDS[name]:
            raise TemplateError(
                f"{place}: unknown placeholder {{{field}}}{did_you_mean(field, _LIST_FIELDS[name])}"
            )
    if "title" not in item.needs:
        raise TemplateError(f"{place}: placeholder {{title}} is missing; an item is listed by its title")
    return ListForm(item, form.separator)
