"""A family: the templates that belong together, and `family.yaml`, which says what each is and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from prompts.domain import Domain, domain
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
_NAMES = ("title", "text")
_LIST_FIELDS = {
    "history": frozenset({*_NAMES, "rating"}),
    "candidates": frozenset({*_NAMES, "number"}),
}
Form = Literal["titles", "ids", "json"]


class Asks(NamedTuple):
    """Which decisions a feedback template asks for."""

    accept: bool
    rank: bool
    yes_or_no: bool = False
    """Of one candidate, in one word."""
    form: Form = "titles"
    """How a reply names candidates: by title, by the number in brackets before each, or by number in a JSON object."""


@dataclass(frozen=True)
class ListForm:
    """How the items of a list are written into `{history}` or `{candidates}`: by title, or by a text that says no title."""

    item: Template
    separator: str
    safe: bool = True
    """Whether names are made harmless before they are listed."""

    def shown(self, text: str) -> str:
        """A stranger's text as it stands in the list."""
        return inline(text) if self.safe else text

    @property
    def blind(self) -> bool:
        """Whether items are told without their titles."""
        return "title" not in self.item.fields

    @property
    def numbered(self) -> bool:
        """Whether each item has a number by which it can be named."""
        return "number" in self.item.fields

    def join(self, rows: Iterable[Mapping[str, str | None]]) -> str:
        """One text of all rows (with `title` or `text`; in a history `rating`, of candidates `number`), values made harmless first."""
        return self.separator.join(
            self.item.render({key: value and self.shown(value) for key, value in row.items()}) for row in rows
        )

    @cached_property
    def row(self) -> Callable[[str, float | None, int | None], str]:
        """One row of a name (the title, or the text in its place), in a history its rating, of candidates the number.

        Remembered: the same items are listed over and over.
        """
        name = "text" if self.blind else "title"

        @lru_cache(maxsize=1 << 16)
        def write(called: str, rating: float | None, number: int | None) -> str:
            shown: dict[str, str | None] = {
                "rating": None if rating is None else f"{rating:g}",
                "number": str(number) if number else None,
            }
            return self.join([{name: called, **shown}])

        return write

    def rows(self, names: Iterable[str]) -> str:
        """A list of candidates by name, numbered from 1."""
        return self.separator.join([self.row(name, None, at) for at, name in enumerate(names, start=1)])


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

    @property
    def blind(self) -> bool:
        """Whether no item is told by its title."""
        return self.candidates.blind

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
    form: Form = "titles"
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


def load_family(name_or_path: str | Path, words: Domain | None = None) -> Family:
    """The family shipped under a name, or that of a folder of yours (a path, or a name with a slash or a dot in it).

    `words` are those of the items' domain, movies if none are given.

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
        name: _load(name, entry, folder, document, forms, words or domain())
        for name, entry in metadata.templates.items()
    }
    history, candidates = (_list(name, forms[name], document) for name in ("history", "candidates"))
    if history.blind is not candidates.blind:
        raise TemplateError(
            f"{document.place(('history', 'item'))}: history and candidates should both be told by {{title}} or both by {{text}}; "
            "one of them would give the titles away"
        )
    for name, entry in metadata.templates.items():
        if entry.form != "titles" and not candidates.numbered:
            raise TemplateError(
                f"{document.place(('templates', name, 'form'))}: form {entry.form} names candidates by number, and "
                f"{document.place(('candidates', 'item'))} gives them none; put {{number}} into it"
            )
        if entry.form == "titles" and candidates.blind and {"accept", "rank"} & {*entry.asks}:
            raise TemplateError(
                f"{document.place(('templates', name))}: without titles a reply has to name candidates by number: form: ids or json"
            )
    return Family(
        name=metadata.name,
        folder=folder,
        templates=MappingProxyType(templates),
        modules=MappingProxyType({name: entry.module for name, entry in metadata.templates.items()}),
        history=history,
        candidates=candidates,
        asks=MappingProxyType(
            {
                name: Asks(
                    "accept" in entry.asks, "rank" in entry.asks, "yes_or_no" in entry.asks, entry.form
                )
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


def _load(
    name: str,
    entry: _Entry,
    folder: Path,
    document: Document,
    forms: Mapping[str, _List],
    words: Domain,
) -> Template:
    at = ("templates", name)
    path = folder / entry.file
    text = _read(path, f"named by {document.place((*at, 'file'))}").removesuffix("\n")
    lists = [form.model_dump_json() for field, form in forms.items() if field in entry.fields]
    template = Template.parse(words.inserted(text), str(path), context="\n".join(lists))
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
    if entry.form != "titles" and not {"accept", "rank"} & {*entry.asks}:
        raise TemplateError(
            f"{document.place((*at, 'form'))}: form {entry.form} is of templates that ask to accept or rank a list"
        )
    if "yes_or_no" in entry.asks and len(entry.asks) > 1:
        raise TemplateError(
            f"{document.place((*at, 'asks'))}: yes_or_no is about one candidate, accept and rank are about a list; make two "
            "templates"
        )
    return template


def _list(name: str, form: _List, document: Document) -> ListForm:
    place = document.place((name, "item"))
    item = Template.parse(form.item, place)
    for field in item.fields:
        if field not in _LIST_FIELDS[name]:
            raise TemplateError(
                f"{place}: unknown placeholder {{{field}}}{did_you_mean(field, _LIST_FIELDS[name])}"
            )
    named = [field for field in _NAMES if field in item.fields]
    if len(named) != 1 or named[0] not in item.needs:
        problem = "are both there" if len(named) > 1 else "are missing, or in a clause"
        raise TemplateError(
            f"{place}: placeholders {{title}} and {{text}} {problem}; an item is listed by its title, or by a text in place of it"
        )
    if "number" in item.fields and "[{number}]" not in form.item:
        raise TemplateError(f"{place}: write [{{number}}], in square brackets: a reply names it so")
    return ListForm(item, form.separator)
