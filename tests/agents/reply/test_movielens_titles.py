"""The floor of the closed-set parser: every MovieLens-1M title in six styles, exactly."""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agents.reply import Asked, Status, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLATE = 20
YEAR = re.compile(r"\s*\(\d{4}\)$")
ARTICLE = re.compile(r"^(.*), (The|An?|L[ae]s?|L'|El|Il|Das|Der|Die)$")


@pytest.fixture(scope="module")
def titles() -> list[str]:
    folder = os.environ.get("SCREENTEST_DATA")
    if not folder:
        pytest.skip("SCREENTEST_DATA is unset: it names the folder that holds ml-1m/")
    lines = (Path(folder) / "ml-1m" / "movies.dat").read_text(encoding="latin-1").splitlines()
    return [line.split("::")[1] for line in lines]


@pytest.fixture(scope="module")
def slates(titles: list[str]) -> list[list[str]]:
    return [*random_slates(titles), *adversarial_slates(titles)]


def random_slates(titles: list[str]) -> Iterator[list[str]]:
    order = random.Random(1).sample(titles, len(titles))
    for at in range(0, len(order), SLATE):
        slate = order[at : at + SLATE]
        yield slate + order[: SLATE - len(slate)]


def adversarial_slates(titles: list[str]) -> Iterator[list[str]]:
    """Titles that contain one another or share a name, side by side."""
    words = {title: without_year(title).lower().split() for title in titles}
    starts: defaultdict[str, list[str]] = defaultdict(list)
    for title in titles:
        starts[words[title][0].strip(",")].append(title)
    for title in titles:
        name = " ".join(words[title])
        related = [t for t in titles if t != title and (name in " ".join(words[t]))]
        if related:
            crowd = dict.fromkeys(
                [title, *related[: SLATE - 1], *starts[words[title][0].strip(",")], *titles]
            )
            yield list(crowd)[:SLATE]


def without_year(title: str) -> str:
    return YEAR.sub("", title)


def natural(title: str) -> str:
    """ "Game, The (1997)" as one says it: "The Game (1997)"."""
    name, year = without_year(title), title[len(without_year(title)) :]
    if not (found := ARTICLE.match(name)):
        return title
    rest, article = found.groups()
    return f"{article}{'' if article.endswith(chr(39)) else ' '}{rest}{year}"


def natural_without_year(title: str) -> str:
    return without_year(natural(title))


def commas(names: list[str]) -> str:
    return f"Here is what I think. My ranking as Ann would be {', '.join(names)}."


def arrows(names: list[str]) -> str:
    return f"I like comedies, and my ranking as Ann would be {' → '.join(names)}"


def numbered(names: list[str]) -> str:
    return "My ranking as Ann would be:\n" + "\n".join(
        f"{n}. {name}" for n, name in enumerate(names, start=1)
    )


def bold_with_reasons(names: list[str]) -> str:
    reasons = [
        f"a fine film, closer to {other} than to the rest, and not too long." for other in reversed(names)
    ]
    lines = [
        f"{n}. **{name}** - {why}" for n, (name, why) in enumerate(zip(names, reasons, strict=True), start=1)
    ]
    return "My ranking as Ann would be:\n\n" + "\n".join(lines) + "\n\nThanks for asking!"


def verbatim(title: str) -> str:
    return title


STYLES: dict[str, tuple[Callable[[str], str], Callable[[list[str]], str]]] = {
    "verbatim": (verbatim, commas),
    "no year": (without_year, commas),
    "natural article": (natural, commas),
    "natural article, no year": (natural_without_year, commas),
    "arrows": (verbatim, arrows),
    "arrows, no year": (natural_without_year, arrows),
    "numbered": (verbatim, numbered),
    "numbered, no year": (natural_without_year, numbered),
    "bold with reasons": (natural, bold_with_reasons),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_title_is_recovered_exactly(style: str, slates: list[list[str]]) -> None:
    name_of, compose = STYLES[style]
    rng = random.Random(2)
    seconds = 0.0
    ambiguous = 0
    for slate in slates:
        order = rng.sample(range(len(slate)), len(slate))
        names = [name_of(slate[p]) for p in order]
        shared = {name for name in names if names.count(name) > 1}
        text = compose(names)
        began = time.perf_counter()
        verdict = parse(text, slate, "stop", Asked(accept=False, rank=True))
        seconds += time.perf_counter() - began
        expected = tuple(p for p, name in zip(order, names, strict=True) if name not in shared)
        assert verdict.ranking == expected, f"{text}\n{slate}"
        assert len(verdict.ambiguous) == sum(name in shared for name in names)
        assert (verdict.unknown, verdict.duplicate) == ((), 0), text
        assert verdict.status is (Status.PARTIAL if shared else Status.OK)
        ambiguous += len(verdict.ambiguous)
    micros = seconds / len(slates) * 1e6
    sys.stdout.write(
        f"{style}: {len(slates)} replies exact, {ambiguous} shared names, {micros:.0f} us each\n"
    )
