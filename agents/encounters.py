"""What a simulated user remembers of earlier rounds: what it was shown, accepted and rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.llm.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prompts import ListForm, Template


@dataclass(frozen=True)
class Encounter:
    """One round: the titles that were recommended, in the order shown, by what the user decided."""

    round: int
    accepted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    """All of them, where no answer came."""


def tell(encounters: Sequence[Encounter], template: Template, form: ListForm, budget: int) -> str:
    """One line for each round, oldest first, as `template` tells it (of the titles `form` lists), in about `budget` tokens.

    The newest rounds are kept. How many were left out stands in a line before them, which counts too; "" where not even
    that fits. Tokens are estimated in the same way everywhere, so the text does not depend on the machine.
    """
    lines: list[str] = []
    text = ""
    for encounter in reversed(encounters):
        lines.insert(0, _line(encounter, template, form))
        cut = len(encounters) - len(lines)
        longer = "\n".join([_left_out(cut), *lines] if cut else lines)
        if estimate_tokens(longer) > budget:
            break
        text = longer
    if text or not encounters:
        return text
    none = _left_out(len(encounters))
    return none if estimate_tokens(none) <= budget else ""


def _line(encounter: Encounter, template: Template, form: ListForm) -> str:
    groups = {name: getattr(encounter, name) for name in ("accepted", "rejected", "undecided")}
    told: dict[str, str | None] = {
        name: form.separator.join([form.row(title, None, None) for title in titles])
        for name, titles in groups.items()
    }
    count = sum(map(len, groups.values()))
    return template.render({**told, "round": str(encounter.round), "count": str(count)})


def _left_out(rounds: int) -> str:
    return f"({rounds} earlier round{'s' if rounds > 1 else ''} left out)"
