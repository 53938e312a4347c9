"""Templates of what several rounds have and the paper's one round lacks: a family's own, or else those shipped."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prompts.template import Template, TemplateError
from scenarios.document import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prompts.family import Family

Session = Literal["rounds", "reflect", "reflection"]
_FIELDS: Mapping[Session, frozenset[str]] = {
    "rounds": frozenset({"round", "count", "accepted", "rejected", "undecided"}),
    "reflect": frozenset(),
    "reflection": frozenset({"round", "summary"}),
}
"""What each may insert."""
_OFTEN_EMPTY: Mapping[Session, frozenset[str]] = {
    "rounds": frozenset({"accepted", "rejected", "undecided"}),
    "reflect": frozenset(),
    "reflection": frozenset(),
}
"""What has to stand in a clause, since a round may have none of it."""


def session_template(family: Family, name: Session) -> Template:
    """`NAME.txt` in the folder of the family, or the one shipped for every family; TemplateError with file:line if it is wrong."""
    own = family.folder / f"{name}.txt"
    path = own if own.is_file() else Path(str(files("prompts"))) / f"{name}.txt"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path}: cannot be read ({error}); it should be UTF-8 text") from None
    # How titles are listed is the family's, and shapes the text as well.
    form = family.history
    template = Template.parse(text.removesuffix("\n"), str(path), form.item.text + form.separator)
    for field, line in template.fields.items():
        if field not in _FIELDS[name]:
            raise TemplateError(
                f"{path}:{line}: unknown placeholder {{{field}}}{did_you_mean(field, _FIELDS[name])}"
            )
    for field in sorted(_OFTEN_EMPTY[name] & template.needs):
        raise TemplateError(
            f"{path}:{template.fields[field]}: {{{field}}} may have no value; put it into a clause: [[ ... {{{field}}} ... ]]"
        )
    return template
