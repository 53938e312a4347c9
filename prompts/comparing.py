"""Two prompt arms side by side: what of their texts differs."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from prompts.family import load_family

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prompts.domain import Domain
    from prompts.template import Template


def parts_of(spec: str, words: Domain | None = None) -> dict[str, Template]:
    """The templates of FAMILY, by name, or of FAMILY:FEEDBACK, where the feedback is called "feedback".

    So two feedback templates are compared whatever their names. TemplateError if there is no such family or template.
    """
    name, _, feedback = spec.rpartition(":") if ":" in spec else (spec, "", "")
    family = load_family(name, words)
    if not feedback:
        return dict(family.templates)
    family.template(feedback, "feedback")
    kept = {
        other: template for other, template in family.templates.items() if family.modules[other] != "feedback"
    }
    return {**kept, "feedback": family.templates[feedback]}


def differences(first: Mapping[str, Template], second: Mapping[str, Template]) -> Iterator[str]:
    """Lines that say which parts differ and how; none where nothing does. Texts are compared sentence by sentence."""
    for name in {**first, **second}:
        one, other = first.get(name), second.get(name)
        if one is None or other is None:
            yield f"{name}: only in the {'second' if one is None else 'first'}"
        elif one.hash != other.hash:
            yield f"{name}: {one.hash[:12]} and {other.hash[:12]}"
            if one.context != other.context:
                yield f"  lists are written otherwise: {one.context!r} and {other.context!r}"
            if one.text != other.text:
                lines = difflib.unified_diff(_sentences(one.text), _sentences(other.text), n=0, lineterm="")
                for line in list(lines)[2:]:
                    if not line.startswith("@@"):
                        yield f"  {line}"


def _sentences(text: str) -> list[str]:
    """The clauses of a text, each as a line: a template is one long line, of which a diff by lines would say nothing."""
    return [
        piece
        for piece in text.replace(". ", ".\n").replace(", ", ",\n").replace('" ', '"\n').split("\n")
        if piece
    ]
