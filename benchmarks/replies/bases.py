"""Replies to start from: real ones as they are, and what they name and say put into the forms that Screentest asks for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.replies.slates import random_slates
from benchmarks.replies.styles import MIXED_STYLES, STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.replies.real import Page, Ranking


class Base(NamedTuple):
    """A slate and texts about it."""

    shown: tuple[str, ...]
    texts: tuple[str, ...]
    prose: tuple[str, ...]
    """Texts that decide nothing."""


def real_bases(pages: Iterable[Page], rankings: Iterable[Ranking]) -> list[Base]:
    """One for each reply."""
    bases = []
    for page in pages:
        liked = [named.name for named in page.named if named.liked]
        order = ", ".join([*liked, *(named.name for named in page.named if not named.liked)])
        judged = "\n\n".join(
            f"**{n.name}**: {n.reason} I would {'accept' if n.liked else 'not accept'} it."
            for n in page.named
        )
        reasons = "\n".join(f"{k}. **{n.name}** - {n.reason}" for k, n in enumerate(page.named, start=1))
        accepting = f"I would accept these recommendations: {page.watch or 'none of them'}"
        texts = (
            page.reply,
            f"{accepting}\nmy ranking as Ann would be {order}",
            f"{judged}\n\nIn summary, {accepting}.",
            f"My ranking as Ann would be:\n{reasons}\n\n{accepting}. {page.feeling}",
        )
        bases.append(Base(page.shown, texts, (page.feeling, page.reply)))
    for ranking in rankings:
        ranked = "\n".join(f"{n}. {line.split(' - ')[-1]}" for n, line in enumerate(ranking.lines, start=1))
        bases.append(
            Base(
                ranking.shown,
                (ranking.reply, f"my ranking as Ann would be:\n{ranked}", ranked),
                (ranking.reply,),
            )
        )
    return bases


def written_bases(titles: Sequence[str], rounds: int, seed: int) -> list[Base]:
    """As many slates as there are, written in all styles of `benchmarks.titles`."""
    bases = []
    for number, shown in enumerate(random_slates(titles, rounds, seed)):
        rng = random.Random(f"bases {seed} {number}")
        texts, prose = [], []
        for style in (STYLES | MIXED_STYLES).values():
            order = rng.sample([style.name(title) for title in shown], len(shown))
            accepting = f"I would accept these recommendations:{style.listed(order[: len(order) // 3])}"
            texts.append(f"{accepting}\n\nMy ranking as Ann would be{style.listed(order)}")
            prose.append(f"I have seen {order[0]} and liked it, while {order[1]} bored me. {order[2]}: long.")
        bases.append(Base(shown, tuple(texts), tuple(prose)))
    return bases
