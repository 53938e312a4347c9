"""Attacks on a prompt by the title of an item, as data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import RootModel

from prompts.template import Template, TemplateError
from scenarios.document import DocumentError, build, did_you_mean, parse

_FILE = Path(str(files("prompts"))) / "attacks.yaml"
HONEST = "none"
"""The attack that is none: the item is planted under its own title, as the control of all others."""


@dataclass(frozen=True)
class Attack:
    """How the title of a planted item is changed."""

    name: str
    template: Template

    def title(self, title: str) -> str:
        """What the item is called in the prompt, as its attacker wrote it."""
        return self.template.render({"title": title})


class _Attacks(RootModel[dict[str, str]]):
    """Name -> title."""


def load_attack(spec: str) -> Attack:
    """The shipped attack of a name, or FILE:NAME of a YAML file of yours; TemplateError with file and line if it is none."""
    file, _, name = spec.rpartition(":")
    path = Path(file) if file else _FILE
    try:
        document = parse(path.read_text(encoding="utf-8"), str(path))
        attacks = build(_Attacks, document).root
    except OSError as error:
        raise TemplateError(
            f"{path}: {error.strerror or error}; a file of attacks is NAME: TITLE in YAML"
        ) from None
    except DocumentError as error:
        raise TemplateError(str(error)) from None
    if name not in attacks:
        raise TemplateError(
            f"{path}: no attack {name!r}{did_you_mean(name, attacks)}; there are {', '.join(attacks)}"
        )
    place = document.place((name,))
    template = Template.parse(attacks[name], place)
    if template.fields.keys() != {"title"} or "title" not in template.needs:
        raise TemplateError(
            f"{place}: an attack has {{title}} in it, outside of clauses, and no other placeholder"
        )
    return Attack(name, template)
