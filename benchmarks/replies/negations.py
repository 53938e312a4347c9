"""Clauses that do not accept the title they name, in the many ways people say so, put into replies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks.replies.slates import without_year
from benchmarks.replies.styles import natural

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

NEGATED = (
    "I would not accept {}.", "I wouldn't accept {}.", "I don't think I would accept {}.", "I would never accept {}.",
    "I would reject {}.", "{}: I would not accept this recommendation.", "I cannot accept {} or anything like it.",
    "I would not, under any circumstances, accept {}.", "I would not accept these recommendations: {}.",
    "I would not accept these recommendations:\n- {}", "Rejected: {}", "I am unwilling to accept {}.", "{} - I won't accept it",
    "I might accept {}.", "I am not sure I would accept {}.", "I would hesitate to accept {}.", "I can't accept {}.",
    "I won't be accepting {}.", "There is no way I would accept {}.", "I doubt that I would accept {}.",
    "{} is not something I would accept.", "Not accepted: {}", "I'd rather not accept {}.",
    "Under no circumstances would I accept {}.", "I have no intention of accepting {}.", "I would be unlikely to accept {}.",
    "I would not want to accept {}.", "Nor would I accept {}.", "I refuse to accept {}.", "I decline {}.",
    "I would accept none of these: {}.", "I would accept anything but {}.", "I would have accepted {} if it were shorter.",
    "Nothing could make me accept {}.", "I fail to see why I would accept {}.", "{}: not accepted", "{} (not accepted)",
    "I would neither accept nor watch {}.", "Perhaps I would accept {} on another day.", "I could accept {} if pressed.",
    "It is hard to imagine that I would accept {}.", "I used to accept films like {}, but no longer.", "**{}** - No.",
    "| {} | not accepted |", "I would only accept {} if nothing else were on.", "Do not accept {}.", "I avoid accepting {}.",
    "I would stop short of accepting {}.", "As for {}, I would not accept it.", "Declined: {}", "Unacceptable: {}",
    "I would accept it if it were not for {}.", "I am reluctant to accept {}.", "Should I accept {}? No.",
    "I would accept {}? Never.", "I'd say no to {}.", "Who would accept {}?",
)  # fmt: skip
_SAYS_YES = re.compile(r"accept|\byes\b|[✓✔✅👍]", re.IGNORECASE)


def says_nothing_for(text: str) -> bool:
    """Whether no word of a text could accept anything."""
    return not _SAYS_YES.search(text)


def negated_clause(title: str, rng: random.Random) -> str:
    """One clause that does not accept `title`, in some spelling, with changes that keep its meaning."""
    template = rng.choice(NEGATED)
    name = rng.choice((title, title, natural(title), without_year(title), without_year(natural(title))))
    before, _, after = template.partition("{}")
    change = rng.randrange(8)
    if change == 0:
        before, after = before.upper(), after.upper()
    elif change == 1:
        before, after = before.lower(), after.lower()
    elif change == 2:
        before, after = before.replace("'", "’"), after.replace("'", "’")
    elif change == 3:
        before, after = before.replace(" ", "  "), after.replace(" ", "  ")
    elif change == 4:
        before, after = (re.sub(r"\b(not|never|no)\b", r"**\1**", part) for part in (before, after))
    marks = rng.choice(("{}", "{}", "{}", "**{}**", '"{}"', "*{}*", "“{}”"))
    return f"{before}{marks.format(name)}{after}"


def placed(clauses: Sequence[str], body: str, rng: random.Random) -> str:
    """The clauses on lines of their own before, behind or inside another text."""
    lines = body.split("\n")
    for clause in clauses:
        at = rng.choice((0, len(lines), rng.randrange(len(lines) + 1)))
        lines[at:at] = rng.choice(([clause], ["", clause, ""]))
    return "\n".join(lines)
