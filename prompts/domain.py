"""Words of the domain of the items, so that no template says "movies" of books."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict

from prompts.template import TemplateError
from scenarios.document import DocumentError, build, did_you_mean, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS = ("item", "items", "consumed", "rated")
_INSERTED = re.compile(rf"(?<!\{{)\{{({'|'.join(WORDS)})\}}(?!\}})")
_FILE = Path(str(files("prompts"))) / "domains.yaml"


class Domain(NamedTuple):
    """What is said of the items of some data."""

    name: str
    item: str
    """One of them."""
    items: str
    """Several."""
    consumed: str
    """What a user has done with those of its history."""
    rated: str
    """What is said of the ratings beside them; "" where the data have none."""

    def inserted(self, text: str) -> str:
        """A template's text with the words of the domain in it, before it is read as a template."""
        return _INSERTED.sub(lambda found: str(getattr(self, found.group(1))), text)


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    item: str
    items: str
    consumed: str
    rated: str


class _Domains(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    movies: _Words
    books: _Words
    products: _Words
    fashion: _Words


def domain(name: str = "movies", *, rated: bool = True) -> Domain:
    """The words of a domain; TemplateError if there is none of this name. `rated` says whether the data have ratings."""
    known = _domains()
    if name not in known:
        raise TemplateError(
            f"{_FILE}: no domain {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"
        )
    words = known[name]
    return Domain(name, words.item, words.items, words.consumed, words.rated if rated else "")


def _domains() -> Mapping[str, _Words]:
    try:
        document = parse(_FILE.read_text(encoding="utf-8"), str(_FILE))
        table = build(_Domains, document)
    except (OSError, DocumentError) as error:
        raise TemplateError(f"{_FILE}: {error}") from None
    return {name: getattr(table, name) for name in _Domains.model_fields}
