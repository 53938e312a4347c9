"""Two prompt arms side by side: what of their texts differs."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from prompts.family import load_family

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prompts.domain import Domain
    from prompts.family import Asks
    from prompts.template import Template


class Part(NamedTuple):
    """A template of an arm, and how its reply is read: with the same text, a reply can be read otherwise."""

    template: Template
    asks: Asks | None
    """None of what is no feedback."""


def parts_of(spec: str, words: Domain | None = None) -> dict[str, Part]:
    """The templates of FAMILY, by name, or of FAMILY:FEEDBACK, where the feedback is called "feedback".

    So two feedback templates are compared whatever their names. TemplateError if there is no such family or template.
    """
    name, _, feedback = spec.rpartition(":") if ":" in spec else (spec, "", "")
    family = load_family(name, words)
    parts = {other: Part(template, family.asks.get(other)) for other, template in family.templates.items()}
    if not feedback:
        return parts
    family.template(feedback, "feedback")
    kept = {other: part for other, part in parts.items() if part.asks is None}
    return {**kept, "feedback": parts[feedback]}


def differences(first: Mapping[str, Part], second: Mapping[str, Part]) -> Iterator[str]:
    """Lines that say which parts differ and how; none where nothing does. Texts are compared sentence by sentence."""
    for name in {**first, **second}:
        one, other = first.get(name), second.get(name)
        if one is None or other is None:
            yield f"{name}: only in the {'second' if one is None else 'first'}"
        elif one.template.hash != other.template.hash or one.asks != other.asks:
            yield f"{name}: {one.template.hash[:12]} and {other.template.hash[:12]}"
            if one.asks != other.asks:
                yield f"  asks: {_asked(one.asks)} and {_asked(other.asks)}"
            yield from _of_texts(one.template, other.template)


def _of_texts(one: Template, other: Template) -> Iterator[str]:
    if one.context != other.context:
        yield f"  lists are written otherwise: {one.context!r} and {other.context!r}"
    if one.text != other.text:
        lines = difflib.unified_diff(_sentences(one.text), _sentences(other.text), n=0, lineterm="")
        for line in list(lines)[2:]:
            if not line.startswith("@@"):
                yield f"  {line}"


def _asked(asks: Asks | None) -> str:
    """What is asked for and how candidates are named, in words."""
    if asks is None:
        return "nothing"
    wanted = [name for name in ("accept", "rank", "yes_or_no") if getattr(asks, name)]
    return f"{', '.join(wanted)} by {asks.form}"


def _sentences(text: str) -> list[str]:
    """The clauses of a text, each as a line: a template is one long line, of which a diff by lines would say nothing."""
    return [
        piece
        for piece in text.replace(". ", ".\n").replace(", ", ",\n").replace('" ', '"\n').split("\n")
        if piece
    ]
