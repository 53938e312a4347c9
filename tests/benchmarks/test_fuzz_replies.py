"""The fuzzer must see what it is there to see: each fault planted in a parser, and found."""

from dataclasses import replace

import pytest

from agents.reply import Status, Verdict, parse
from benchmarks import fuzz_replies
from benchmarks.replies.bases import written_bases
from benchmarks.replies.negations import NEGATED, says_nothing_for

TITLES = [f"{one} {other} (19{year})" for year, (one, other) in enumerate(
    ((a, b) for a in ("Quiet", "Big", "Lost", "Red") for b in ("Harbour", "Night", "Road", "Letters", "Garden", "Winter")), start=60
)]  # fmt: skip


@pytest.fixture(scope="module")
def bases():
    return written_bases([*TITLES, "Heat (1995)", "Game, The (1997)", "Airplane! (1980)"], 1, 0)


def found(parser, bases):
    for number in range(2000):
        for fault, _ in fuzz_replies.judged(parser, fuzz_replies.fuzzed(bases, number)):
            yield fault


def test_the_parser_is_clean(bases):
    findings, statuses, negated = fuzz_replies.examine(parse, bases, range(800))
    assert findings == []
    assert statuses.total() == 800
    assert negated > 100
    assert len(statuses) >= 5


def raises(text, shown, reason, asked):
    if "\u200b" in text:
        raise ValueError("an odd sign")
    return parse(text, shown, reason, asked)


def past_the_end(text, shown, reason, asked):
    verdict = parse(text, shown, reason, asked)
    return replace(verdict, ranking=(*verdict.ranking, len(shown))) if verdict.ranking else verdict


def slate_order(text, shown, reason, asked):
    """Fills up what is missing without a word."""
    verdict = parse(text, shown, reason, asked)
    if verdict.status is not Status.PARTIAL or not asked.rank:
        return verdict
    return replace(verdict, ranking=verdict.ranking + verdict.missing, missing=())


def deaf_to_not(text, shown, reason, asked):
    for word in (" not", "n't", " never"):
        text = text.replace(word, "")
    return parse(text, shown, reason, asked)


def trusts_the_cut(text, shown, reason, asked):
    return parse(text, shown, "stop", asked)


def counts_nothing(text, shown, reason, asked):
    verdict = parse(text, shown, reason, asked)
    return replace(verdict, unknown=(), duplicate=0, ambiguous=())


@pytest.mark.parametrize(
    ("parser", "fault"),
    [
        (raises, "exceptions"),
        (past_the_end, "outside_candidates"),
        (slate_order, "ungrounded"),
        (deaf_to_not, "negated_accepted"),
        (trusts_the_cut, "inconsistent"),
        (counts_nothing, "inconsistent"),
    ],
)
def test_a_planted_fault_is_found(parser, fault, bases):
    assert fault in found(parser, bases)


def test_a_number_is_always_the_same_reply(bases):
    assert [fuzz_replies.fuzzed(bases, 7)] * 2 == [fuzz_replies.fuzzed(bases, 7) for _ in range(2)]
    assert fuzz_replies.fuzzed(bases, 7) != fuzz_replies.fuzzed(bases, 8)


def test_words_that_could_accept_are_seen():
    assert not says_nothing_for("I could accept that.")
    assert not says_nothing_for("Heat: Yes")
    assert says_nothing_for("I liked Heat.")
    assert len(set(NEGATED)) == len(NEGATED) == 57


def test_the_command_ends_with_1_on_a_fault(monkeypatch, capsys):
    fields = {"replies": 1, **dict.fromkeys(fuzz_replies._FAULTS, 0)}
    for faults, code in ((0, 0), (1, 1)):
        monkeypatch.setattr(
            fuzz_replies, "_measured", lambda count, quick, n=faults: (fields | {"exceptions": n}, [])
        )
        assert fuzz_replies.main(["--quick", "--replies", "1"]) == code


def test_a_verdict_without_a_name_is_grounded():
    reply = fuzz_replies.Fuzzed("x", ("Heat (1995)",), "stop", fuzz_replies._ASKED[1], frozenset())
    assert list(fuzz_replies.judged(lambda *read: Verdict(Status.UNPARSEABLE), reply)) == []
