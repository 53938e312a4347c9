"""Real replies of GPT-3.5, read with the titles they were given: `python -m benchmarks.real_replies [--quick] [--sample N]`.

The models answered other prompts than ours, so what they wrote is taken as they wrote it, name for name, and given to the parser as lists:
the titles that a role-play page judges, one a line (`shown`, `resolved`: each page judges all four that it was shown); its list of titles to watch, commas and all
(`watched`: right if it names what the page says it names, one by one); and both titles of each pair
"watched title - candidate" of the three-step rankings, numbered (`ranked`: those that are candidates).

`strict` is how many of the shown titles a search for the title as shown finds. Named non-candidates come from two places. `named_unknown`: names in the rankings that are of no
candidate, by a comparison of letters and digits that knows nothing of the parser. `withheld`: each page read again with one of its titles taken from the candidates, so that
the reply surely names one that is not among them; it has to be flagged, and the others found as before.

`--sample N` prints N names with what was made of them, drawn with a seed, half of them from those written otherwise than shown, for a reader to check by hand; nothing is recorded then. What came
of reading 200 of them is in `hand_check`. Needs SCREENTEST_DATA; no text of the replies is kept.
"""

from __future__ import annotations

import argparse
import random
import sys
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.reply import Asked, Verdict, parse
from benchmarks.recording import record
from benchmarks.replies.real import RANKED, pages, rankings, replies_folder
from benchmarks.replies.slates import without_year
from benchmarks.replies.styles import natural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from benchmarks.replies.real import Page, Ranking

    Parser = Callable[[str, Sequence[str], str, Asked], Verdict]

_SEED = 20
_QUICK_PAGES = 300
_RANK, _ACCEPT = Asked(accept=False, rank=True), Asked(accept=True, rank=False)
_HAND_CHECK = {
    "sample": 200,
    "seed": _SEED,
    "resolved": 159,
    "resolved_wrong": 0,
    "flagged_unknown": 40,
    "flagged_wrong": 0,
    "empty_lists": 1,
    "left_unknown": 1,
    "remarks": [
        "left_unknown: the second name of one of the 159 is a title that the data show with a damaged character, and was flagged.",
        "Three of the 40 are no titles but torn-off articles, which the prompts of the rankings have already.",
    ],
}
"""What came of reading the 200 lines of `--sample 200` one by one, each name beside all the titles of its slate."""


class Resolution(NamedTuple):
    """A name as written and what the parser made of it."""

    kind: str
    name: str
    title: str | None
    """None if it was resolved to none."""
    flagged: bool
    """It was counted as unknown."""
    shown: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, count, and print the result; 1 if a name was resolved to another title."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.real_replies", description="Real replies, read."
    )
    options.add_argument("--quick", action="store_true", help=f"{_QUICK_PAGES} pages only")
    options.add_argument("--sample", type=int, metavar="N", help="print N names with what was made of them")
    chosen = options.parse_args(arguments)
    folder = replies_folder()
    some = list(pages(folder))
    ranked = [ranking for ranking in rankings(folder) if len(ranking.shown) == RANKED]
    if chosen.quick:
        some = some[:_QUICK_PAGES]
    if chosen.sample:
        for number, one in enumerate(sample(parse, some, ranked, chosen.sample), start=1):
            print(
                f"{number:>4} {one.kind:<8} {one.name!r} -> {one.title!r}{' + unknown' * one.flagged}   of {list(one.shown)}"
            )
        return 0
    fields = measured(parse, some, ranked)
    command = f"python -m benchmarks.real_replies{' --quick' * chosen.quick}"
    record(
        f"real-replies{'-quick' * chosen.quick}",
        {**fields, "hand_check": None if chosen.quick else _HAND_CHECK},
        command,
    )
    return int(bool(fields["wrong"]))


def measured(parser: Parser, some: Sequence[Page], ranked: Sequence[Ranking]) -> dict[str, Any]:
    """The fields of the result."""
    counts: Counter[str] = Counter()
    for page in some:
        _count_page(parser, page, counts)
    for ranking in ranked:
        for one in _in_ranking(parser, ranking):
            known = _same(one.name, one.shown)
            if known:
                counts["ranked"] += 1
                counts["ranked_resolved"] += one.title in known
            else:
                counts["named_unknown"] += 1
                counts["flagged_unknown"] += one.title is None and one.flagged
            counts["wrong"] += one.title is not None and one.title not in known
    shares = {
        "resolved_share": _share(counts["resolved"], counts["shown"]),
        "strict_share": _share(counts["strict"], counts["shown"]),
        "flagged_share": _share(counts["flagged_unknown"], counts["named_unknown"]),
        "withheld_flagged_share": _share(counts["withheld_flagged"], counts["withheld"]),
    }
    names = (
        "shown", "strict", "resolved", "watch_lists", "watch_lists_right", "ranked", "ranked_resolved", "named_unknown", "flagged_unknown",
        "withheld", "withheld_flagged", "withheld_others_kept", "wrong",
    )  # fmt: skip
    return {
        "pages": len(some),
        "rankings": len(ranked),
        **{name: counts[name] for name in names},
        **shares,
        "seed": _SEED,
    }


def _count_page(parser: Parser, page: Page, counts: Counter[str]) -> None:
    counts["shown"] += len(page.shown)
    counts["strict"] += sum(title in {named.name for named in page.named} for title in page.shown)
    verdict = parser(_listed(page), page.shown, "stop", _RANK)
    counts["resolved"] += len(verdict.ranking)
    if len(verdict.ranking) == len(page.named):
        for place, named in zip(verdict.ranking, page.named, strict=True):
            counts["wrong"] += page.shown[place] not in _same(named.name, page.shown)
    for place in range(len(page.shown)):
        rest = (*page.shown[:place], *page.shown[place + 1 :])
        if place not in verdict.ranking or len(verdict.ranking) != len(page.shown):
            continue
        counts["withheld"] += 1
        without = parser(_listed(page), rest, "stop", _RANK)
        counts["withheld_flagged"] += len(without.unknown) == 1
        kept = [page.shown[p] for p in verdict.ranking if p != place]
        counts["withheld_others_kept"] += kept == [rest[p] for p in without.ranking]
    if page.watch:
        meant = _to_watch(page)
        if meant is not None:
            counts["watch_lists"] += 1
            got = parser(f"I would accept these recommendations: {page.watch}", page.shown, "stop", _ACCEPT)
            counts["watch_lists_right"] += {*got.accepted} == meant
            counts["wrong"] += bool({*got.accepted} - meant)


def _to_watch(page: Page) -> set[int] | None:
    """Places whose letters and digits stand in the list to watch, each at a place of its own; None if that leaves letters over."""
    rest = _letters(page.watch)
    found: set[int] = set()
    spellings = [
        (spelling, place) for place, title in enumerate(page.shown) for spelling in _spellings(title)
    ]
    for spelling, place in sorted(spellings, key=lambda pair: -len(pair[0])):
        if place not in found and spelling in rest:
            found.add(place)
            rest = rest.replace(spelling, " ", 1)
    return None if rest.replace("and", "").strip() else found


def _listed(page: Page) -> str:
    return "My ranking as Ann would be:\n" + "\n".join(
        f"{n}. {one.name}" for n, one in enumerate(page.named, start=1)
    )


def _in_ranking(parser: Parser, ranking: Ranking) -> Iterator[Resolution]:
    """Each title that a three-step ranking names, read in a list of its own, since it may name one twice."""
    for line in ranking.lines:
        for name in line.split(" - "):
            pieces = name.strip().split(", ")
            several = all(_same(piece, ranking.shown) for piece in pieces)
            for one in pieces if several else [name.strip()]:
                verdict = parser(f"My ranking as Ann would be:\n1. {one}", ranking.shown, "stop", _RANK)
                title = ranking.shown[verdict.ranking[0]] if len(verdict.ranking) == 1 else None
                yield Resolution("ranking", one, title, bool(verdict.unknown), ranking.shown)


def _in_page(parser: Parser, page: Page) -> Iterator[Resolution]:
    for named in page.named:
        verdict = parser(f"My ranking as Ann would be:\n1. {named.name}", page.shown, "stop", _RANK)
        title = page.shown[verdict.ranking[0]] if len(verdict.ranking) == 1 else None
        yield Resolution("judged", named.name, title, bool(verdict.unknown), page.shown)
    if page.watch:
        got = parser(f"I would accept these recommendations: {page.watch}", page.shown, "stop", _ACCEPT)
        titles = " + ".join(page.shown[place] for place in got.accepted)
        yield Resolution("watch", page.watch, titles or None, bool(got.unknown), page.shown)


def sample(parser: Parser, some: Iterable[Page], ranked: Iterable[Ranking], count: int) -> list[Resolution]:
    """Half of them from names that were flagged or are written otherwise than shown, the other half from all."""
    everything = [one for page in some for one in _in_page(parser, page)]
    everything += [one for ranking in ranked for one in _in_ranking(parser, ranking)]
    rng = random.Random(f"hand check {_SEED}")
    changed = [one for one in everything if one.title != one.name]
    chosen = rng.sample(changed, min(count // 2, len(changed)))
    return chosen + rng.sample(everything, min(count - len(chosen), len(everything)))


def _same(name: str, shown: Sequence[str]) -> set[str]:
    """Titles that have the letters and digits of a name in one of the usual spellings, perhaps with an article that is not theirs."""
    names = {
        _letters(name),
        *(_letters(name[len(article) :]) for article in ("A ", "The ") if name.startswith(article)),
    }
    return {title for title in shown if names & _spellings(title)}


def _spellings(title: str) -> set[str]:
    """Letters and digits of a title with its article behind, before, at both ends or nowhere; with and without year and brackets."""
    name = without_year(title)
    main, bracket, rest = name.partition(" (")
    moved = natural(main)
    bare = main.rpartition(", ")[0] if moved != main else main
    forms = {main, moved, bare, moved + main[len(bare) :]}
    names = {part + tail for part in forms for tail in ("", bracket + rest)}
    return {_letters(one + year) for one in names for year in ("", title[len(name) :])}


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.casefold().replace("&", "and"))
    return "".join(filter(str.isalnum, folded))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None


if __name__ == "__main__":
    sys.exit(main())
