"""What a simulated user has seen, and how much of it fits into its prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.llm.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompts import ListForm


@dataclass(frozen=True, slots=True)
class Experience:
    """One item of the past; `rating` is None where it was accepted in the simulation, or the data have none."""

    title: str
    rating: float | None


@dataclass(frozen=True)
class Memory:
    """Experiences, oldest first; never a held-out item."""

    experiences: tuple[Experience, ...] = ()

    def with_accepted(self, titles: Iterable[str]) -> Memory:
        """The memory after accepting these titles, in that order."""
        return replace(
            self, experiences=self.experiences + tuple(Experience(title, None) for title in titles)
        )

    def render(self, form: ListForm, budget: int) -> str:
        """The experiences as the template lists them, cut to about `budget` tokens, and how many were cut.

        Newest first: each costs its place from the end, and a rating far from the middle makes up for age, so that
        strong old experiences outlive weak recent ones. What is kept stays in order. Tokens are estimated in the same way
        everywhere, so the text does not depend on the machine.
        """
        write = form.row
        rows = [write(seen.title, seen.rating, None) for seen in self.experiences]
        whole = form.separator.join(rows)
        # Rounded up for each row, hence a token for each more than all of them take together.
        if estimate_tokens(whole + form.separator) + len(rows) <= budget:
            return whole
        size = [estimate_tokens(row + form.separator) for row in rows]
        kept: set[int] = set()
        spent = 0
        for place in sorted(range(len(rows)), key=self._rank):
            if spent + size[place] > budget:
                break
            spent += size[place]
            kept.add(place)
        text = form.separator.join(rows[place] for place in sorted(kept))
        cut = len(rows) - len(kept)
        return f"{text} ({cut} more of the past left out)".lstrip() if cut else text

    def _rank(self, place: int) -> float:
        rating = self.experiences[place].rating
        strength = 0.0 if rating is None else abs(rating - 3)
        return (len(self.experiences) - 1 - place) - _PLACES_PER_STAR * strength


_PLACES_PER_STAR = 3.0
"""A rating one star further from the middle is kept as if it were three places newer."""
