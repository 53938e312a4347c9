"""A million fuzzed replies on all cores, and what must hold for each: `python -m benchmarks.fuzz_replies [--quick]`.

Each starts from a real reply, as it is or with its names and reasons in a form that Screentest asks for, and is cut, doubled, shuffled, spliced, injected or
written in other signs. Three in ten get clauses that do not accept a title they name, said in 57 ways: alone in a text that accepts nothing, or beside an accept list of others.

`exceptions`: the parser raised. `outside_candidates`: a place that was not shown. `ungrounded`: a title ranked or accepted of which no word stands in the reply, which says nothing of all of them.
`negated_accepted`: a title accepted that only such a clause names. `inconsistent`: a verdict that cannot be
(`agents.testing.replies.contradictions`). Any of them ends with exit code 1; the first of them are shown on standard error with their number, and `--only NUMBER` reads that one again.

Needs SCREENTEST_DATA; --quick starts from embedded titles instead.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import time
import unicodedata
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.reply import Asked, Verdict, parse
from agents.testing.replies import contradictions
from benchmarks.recording import record
from benchmarks.replies.bases import Base, real_bases, written_bases
from benchmarks.replies.mutations import mutated
from benchmarks.replies.negations import negated_clause, placed, says_nothing_for
from benchmarks.replies.real import RANKED, pages, rankings, replies_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Parser = Callable[[str, Sequence[str], str, Asked], Verdict]

_SEED = 0
_REPLIES, _QUICK = 1_000_000, 20_000
_CHUNK = 5_000
_SHOWN_FINDINGS = 20
_FAULTS = ("exceptions", "outside_candidates", "ungrounded", "negated_accepted", "inconsistent")
_ASKED = (Asked(accept=True, rank=True), Asked(accept=True, rank=False), Asked(accept=False, rank=True))
_ALL = re.compile(r"all|every|each", re.IGNORECASE)
_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_COMMON = frozenset({"the", "and", "of"})


class Fuzzed(NamedTuple):
    """One reply, and which titles nothing in it accepts."""

    text: str
    shown: tuple[str, ...]
    finish_reason: str
    asked: Asked
    negated: frozenset[int]


class Finding(NamedTuple):
    """One fault of one reply."""

    number: int
    fault: str
    told: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, judge, and print the result; 1 if there is any fault."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz_replies", description="Fuzzed replies, read."
    )
    options.add_argument("--quick", action="store_true", help=f"{_QUICK:,} replies from embedded titles")
    options.add_argument("--replies", type=int, help=f"how many instead of {_REPLIES:,}; not recorded")
    options.add_argument("--only", type=int, metavar="NUMBER", help="show this reply and its verdict")
    chosen = options.parse_args(arguments)
    if chosen.only is not None:
        reply = fuzzed(_bases(quick=chosen.quick), chosen.only)
        print(reply, parse(*reply[:4]), *judged(parse, reply), sep="\n")
        return 0
    count = chosen.replies or (_QUICK if chosen.quick else _REPLIES)
    fields, findings = _measured(count, quick=chosen.quick)
    for finding in findings:
        print(finding, file=sys.stderr)
    if chosen.replies:
        print(fields)
    else:
        record(
            f"fuzz-replies{'-quick' * chosen.quick}",
            fields,
            f"python -m benchmarks.fuzz_replies{' --quick' * chosen.quick}",
        )
    return int(any(fields[fault] for fault in _FAULTS))


@cache
def _bases(*, quick: bool) -> list[Base]:
    """Made once in each process."""
    if quick:
        from recommender import data  # noqa: PLC0415 - takes torch along, which real replies do not need

        return written_bases(list(data.load("embedded").items["title"]), 1, _SEED)
    folder = replies_folder()
    whole = [ranking for ranking in rankings(folder) if len(ranking.shown) == RANKED]
    return real_bases(pages(folder), whole)


def _measured(count: int, *, quick: bool) -> tuple[dict[str, Any], list[Finding]]:
    began = time.perf_counter()
    chunks = [range(start, min(count, start + _CHUNK)) for start in range(0, count, _CHUNK)]
    faults: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    negated = 0
    findings: list[Finding] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for number, (found, read, with_clause) in enumerate(
            pool.map(_chunk, chunks, [quick] * len(chunks)), start=1
        ):
            faults.update(finding.fault for finding in found)
            findings += found[: max(0, _SHOWN_FINDINGS - len(findings))]
            statuses += read
            negated += with_clause
            if number % 10 == 0:
                print(f"{number * _CHUNK:,} replies, {dict(faults)}", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - began
    return {
        "replies": statuses.total() + faults["exceptions"],
        **{fault: faults[fault] for fault in _FAULTS},
        "with_negated_clause": negated,
        "statuses": dict(statuses.most_common()),
        "bases": len(_bases(quick=quick)),
        "data": "embedded" if quick else "llm_replies",
        "seconds": round(seconds, 1),
        "cores": os.cpu_count(),
        "seed": _SEED,
    }, findings


def _chunk(numbers: range, quick: bool) -> tuple[list[Finding], Counter[str], int]:
    return examine(parse, _bases(quick=quick), numbers)


def examine(
    parser: Parser, bases: Sequence[Base], numbers: Iterable[int]
) -> tuple[list[Finding], Counter[str], int]:
    """Findings, how often each status was given, and in how many replies something was negated."""
    findings: list[Finding] = []
    statuses: Counter[str] = Counter()
    negated = 0
    for number in numbers:
        reply = fuzzed(bases, number)
        negated += bool(reply.negated)
        for fault, told in judged(parser, reply, statuses):
            findings.append(Finding(number, fault, f"{told}: {reply}"))
    return findings, statuses, negated


def fuzzed(bases: Sequence[Base], number: int) -> Fuzzed:
    """The reply of this number: the same on every machine, whatever came before it."""
    rng = random.Random(f"fuzz {_SEED} {number}")
    # Neighbours share a slate, whose index a run would keep too.
    base = bases[number // 50 % len(bases)]
    asked = rng.choice(_ASKED)
    reason = "length" if rng.random() < 0.05 else "stop"
    others = (*base.texts, *base.prose, *bases[rng.randrange(len(bases))].texts, *base.shown)
    if rng.random() < 0.7 or not asked.accept:
        return Fuzzed(mutated(rng.choice(base.texts), others, rng), base.shown, reason, asked, frozenset())
    return _with_negation(base, reason, asked, rng)


def _with_negation(base: Base, reason: str, asked: Asked, rng: random.Random) -> Fuzzed:
    """Either nothing in the text accepts anything, or an accept list names some titles and the clauses others."""
    places = rng.sample(range(len(base.shown)), len(base.shown))
    clauses = [negated_clause(base.shown[place], rng) for place in places[: rng.choice((1, 1, 2, 3))]]
    body = mutated(rng.choice(base.prose), base.prose, rng)
    if rng.random() < 0.6 and says_nothing_for(body):
        return Fuzzed(placed(clauses, body, rng), base.shown, reason, asked, frozenset(places))
    listed = places[len(clauses) :][: rng.randrange(1, 6)] if len(places) > len(clauses) else []
    names = ", ".join(base.shown[place] for place in listed) or "none of them"
    parts = [f"I would accept these recommendations: {names}.", *clauses]
    rng.shuffle(parts)
    text = rng.choice(("\n", "\n\n")).join(parts)
    return Fuzzed(text, base.shown, reason, asked, frozenset(places) - {*listed})


def judged(parser: Parser, reply: Fuzzed, statuses: Counter[str] | None = None) -> Iterator[tuple[str, str]]:
    """What is wrong with how a reply is read; its status is added to `statuses`."""
    try:
        verdict = parser(reply.text, reply.shown, reply.finish_reason, reply.asked)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        yield "exceptions", repr(error)
        return
    if statuses is not None:
        statuses[str(verdict.status)] += 1
    named = {*verdict.ranking, *verdict.accepted}
    size = len(reply.shown)
    if not named | {*verdict.rejected, *verdict.undecided, *verdict.missing} <= {*range(size)}:
        yield "outside_candidates", str(verdict)
        return
    if reply.negated & {*verdict.accepted}:
        yield "negated_accepted", str(verdict)
    if wrong := contradictions(verdict, size, reply.finish_reason, reply.asked):
        yield "inconsistent", "; ".join(wrong)
    if named and not _grounded(reply, named):
        yield "ungrounded", str(verdict)


def _grounded(reply: Fuzzed, named: set[int]) -> bool:
    if len(named) == len(reply.shown) and _ALL.search(reply.text):
        return True
    text = _plain(reply.text)
    return all(any(word in text for word in _words(reply.shown[place])) for place in named)


@cache
def _words(title: str) -> tuple[str, ...]:
    """Words by which a title is recognised, whatever else is left out of it."""
    parts = re.split(r"[\s\-/:,()]+", re.sub(r"\(\d{4}\)$", "", title))
    words = [word for word in map(_plain, parts) if word]
    return tuple(word for word in words if word not in _COMMON) or tuple(words) or ("",)


def _plain(text: str) -> str:
    """Letters and digits only, without case and accents."""
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)))


if __name__ == "__main__":
    sys.exit(main())
