"""Every title of MovieLens-1M in six styles, read back exactly: `python -m benchmarks.titles [--quick]`.

The titles stand in slates of 20: five random ones each, and for every title that another contains, that has a namesake of another year or that
holds a comma whose pieces are titles, one with these beside it. Each slate is ranked whole and accepted by half in each style, and in four mixtures of styles. A reply is
`exact` if every title comes back in its place, the others are rejected or missing, and nothing is unknown, repeated or ambiguous that is not.

Without its year, a title may name two films of its slate. Such a name has to be reported as ambiguous, with neither film chosen; these names are counted
in `ambiguous`, and a reply that holds one is exact if it is right in that too.

`microseconds_per_reply` is the processor time of reading a reply on a slate that has been read before, `microseconds_per_slate` of its first reading, once. Needs
the environment variable SCREENTEST_DATA; --quick takes the embedded titles.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.reply import Asked, Status, Verdict, parse
from benchmarks.recording import record
from benchmarks.replies.slates import SIZE, hard_slates, random_slates
from benchmarks.replies.styles import MIXED_STYLES, STYLES, Style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Parser = Callable[[str, Sequence[str], str, Asked], Verdict]

_SEED = 0
_ROUNDS = 5
_ACCEPT, _RANK = Asked(accept=True, rank=False), Asked(accept=False, rank=True)
_SHOWN_MISSES = 10


class Reply(NamedTuple):
    """One written reply and what it says."""

    style: str
    slate: tuple[str, ...]
    text: str
    asked: Asked
    meant: Verdict
    """What it has to be read as; its ambiguous names in the order written."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, read back, compare, and print the result; 1 if any reply was not read exactly."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.titles", description="Titles in six styles, read back exactly."
    )
    options.add_argument("--quick", action="store_true", help="embedded titles instead of MovieLens-1M")
    quick = options.parse_args(arguments).quick
    fields = measured("embedded" if quick else "ml-1m", _titles(quick=quick), parse)
    record(f"titles{'-quick' * quick}", fields, f"python -m benchmarks.titles{' --quick' * quick}")
    return 0 if fields["exact"] == fields["replies"] else 1


def _titles(*, quick: bool) -> list[str]:
    if quick:
        from recommender import data  # noqa: PLC0415 - takes torch along, which MovieLens' file does not need

        return list(data.load("embedded").items["title"])
    folder = os.environ.get("SCREENTEST_DATA")
    if not folder:
        raise SystemExit("SCREENTEST_DATA is unset: it names the folder that holds ml-1m/ (or use --quick)")
    lines = (Path(folder) / "ml-1m" / "movies.dat").read_text(encoding="latin-1").splitlines()
    return [line.split("::")[1] for line in lines]


def measured(data: str, titles: Sequence[str], parser: Parser) -> dict[str, Any]:
    """The fields of the result; misses are shown on standard error."""
    drawn = [*random_slates(titles, _ROUNDS, _SEED)]
    hard = [*hard_slates(titles, _SEED)]
    replies: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    ambiguous = misses = 0
    reading = first = 0.0
    for number, slate in enumerate([*drawn, *hard]):
        began = time.process_time()
        parser("", slate, "stop", _RANK)
        first += time.process_time() - began
        for reply in written(slate, random.Random(f"replies {_SEED} {number}")):
            began = time.process_time()
            verdict = parser(reply.text, reply.slate, "stop", reply.asked)
            reading += time.process_time() - began
            replies[reply.style] += 1
            ambiguous += len(reply.meant.ambiguous)
            if _marks_aside(verdict) == _marks_aside(reply.meant):
                exact[reply.style] += 1
            elif (misses := misses + 1) <= _SHOWN_MISSES:
                print(f"{reply}\n  read as {verdict}", file=sys.stderr)
        if number % 200 == 199:
            print(f"{number + 1} of {len(drawn) + len(hard)} slates", file=sys.stderr, flush=True)
    return {
        "data": data,
        "titles": len(titles),
        "styles": len(STYLES),
        "replies": replies.total(),
        "exact": exact.total(),
        "microseconds_per_reply": round(reading / replies.total() * 1e6),
        "microseconds_per_slate": round(first / (len(drawn) + len(hard)) * 1e6),
        "ambiguous": ambiguous,
        "slates": {"size": SIZE, "random": len(drawn), "hard": len(hard)},
        "by_style": {name: {"replies": replies[name], "exact": exact[name]} for name in replies},
        "seed": _SEED,
    }


def _marks_aside(verdict: Verdict) -> Verdict:
    """Ambiguous names are reported as found, which may be without the mark that ends them ("That Darn Cat!")."""
    return replace(verdict, ambiguous=tuple(name.rstrip("!?. ") for name in verdict.ambiguous))


def written(slate: tuple[str, ...], rng: random.Random) -> Iterator[Reply]:
    """A ranking of the whole slate and an accept list of its half, in every style."""
    for name, style in (STYLES | MIXED_STYLES).items():
        order = rng.sample(range(len(slate)), len(slate))
        text = (
            f"Let me think. My ranking as Ann would be{style.listed([style.name(slate[p]) for p in order])}"
        )
        yield Reply(name, slate, text, _RANK, _ranked(slate, order, style))
        half = rng.sample(order, (len(order) + 1) // 2)
        listed = style.listed([style.name(slate[p]) for p in half])
        text = f"I would accept these recommendations:{listed}"
        yield Reply(name, slate, text, _ACCEPT, _accepted(slate, half, style))


def _ranked(slate: Sequence[str], order: Sequence[int], style: Style) -> Verdict:
    clear, vague = _apart(slate, order, style)
    left = tuple(p for p in range(len(slate)) if p not in clear)
    return Verdict(
        Status.PARTIAL if left else Status.OK,
        ranking=clear,
        missing=left,
        ambiguous=_names(slate, vague, style),
    )


def _accepted(slate: Sequence[str], half: Sequence[int], style: Style) -> Verdict:
    """Namesakes of an ambiguous name are undecided: it may mean any of them."""
    clear, vague = _apart(slate, half, style)
    names = _names(slate, vague, style)
    meant = {style.name(slate[p]) for p in vague}
    doubtful = tuple(p for p, title in enumerate(slate) if style.name(title) in meant)
    rejected = tuple(p for p in range(len(slate)) if p not in {*clear, *doubtful})
    status = Status.PARTIAL if doubtful else Status.OK
    return Verdict(status, accepted=clear, rejected=rejected, undecided=doubtful, ambiguous=names)


def _apart(
    slate: Sequence[str], places: Sequence[int], style: Style
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Places whose name fits one title of the slate, and places whose name fits several."""
    counts = Counter(style.name(title) for title in slate)
    clear = tuple(p for p in places if counts[style.name(slate[p])] == 1)
    return clear, tuple(p for p in places if counts[style.name(slate[p])] > 1)


def _names(slate: Sequence[str], places: Sequence[int], style: Style) -> tuple[str, ...]:
    return tuple(style.name(slate[p]) for p in places)


if __name__ == "__main__":
    sys.exit(main())
