"""The corpus of broken files, one case of each kind; and the checker must see what it is there to see."""

import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import broken_files
from benchmarks.broken import PARTS, checking, corpus, shop
from benchmarks.broken.cases import Case, Counted, Read, Refused, Whole
from benchmarks.broken.checking import judged
from recommender.data import DataError, load


def one_of_each_kind(part):
    """Of the kinds that are given to several entries, each time another entry."""
    kinds = defaultdict(list)
    for case in part.cases():
        if not case.slow:
            kinds[case.kind].append(case)
    return [cases[number % len(cases)] for number, cases in enumerate(kinds.values())]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__.rpartition(".")[2])
def test_every_kind_is_an_error_a_counted_skip_or_read_in_full(part):
    verdicts = list(judged(one_of_each_kind(part)))
    faults = {
        (verdict.case.kind, verdict.case.entry): verdict.faults for verdict in verdicts if verdict.faults
    }
    assert faults == {}
    fields = broken_files.summary(verdicts)
    assert fields["kinds"] == fields["cases"] >= 15
    assert fields["clear_errors"] + fields["counted_skips"] + fields["read_in_full"] == fields["cases"]
    assert (fields["lost"], fields["written_outside"], fields["failures"]) == (0, 0, [])


def test_no_two_cases_are_called_alike():
    names = [(case.kind, case.entry) for case in corpus()]
    assert len(names) == len(set(names))


WHOLE = Whole()


def judge(read, expects=WHOLE, prepare=lambda sandbox: None, **limits):
    [verdict] = judged([Case("kind", "entry", expects, prepare, read)], **limits)
    return verdict


@pytest.mark.parametrize("form", [shop.ML_1M, shop.AMAZON_2023, shop.PARQUET], ids=lambda form: form.entry)
def test_a_reader_that_drops_a_row_in_silence_loses_it(form, monkeypatch):
    def careless(source, path):
        dataset = load(source, path)
        return replace(dataset, interactions=dataset.interactions.take(slice(1, None)))

    monkeypatch.setattr(shop, "load", careless)
    verdict = judge(form.read, prepare=form.write)
    assert (verdict.outcome, verdict.lost) == ("failed", True)
    assert "missing=1" in verdict.faults[0]


@pytest.mark.parametrize(
    ("read", "expects", "lost"),
    [
        (Read(missing=1), Whole(), True),
        (Read(), Counted("", malformed=1), True),
        (Read(missing=1, malformed=1), Counted("", malformed=1), True),
        (Read(), Counted("", repeated=1), True),
        (Read(), Refused("a.csv", "wrong"), True),
        (Read(invented=1), Whole(), False),
        (Read(malformed=1), Whole(), False),
        (Read(malformed=2), Counted("", malformed=1), False),
        (Read(malformed=1, first="a.csv: wrong"), Counted("a.csv:7: ", malformed=1), False),
    ],
)
def test_what_differs_from_what_was_planted_fails(read, expects, lost):
    verdict = judge(lambda sandbox: read, expects)
    assert (verdict.outcome, verdict.lost) == ("failed", lost)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (KeyError("a.csv:7: wrong"), "KeyError where DataError"),
        (DataError("b.csv:7: wrong"), r"does not name a\.csv:7:"),
        (DataError("a.csv:8: wrong"), r"does not name a\.csv:7:"),
        (DataError("a.csv:7: bad"), "does not say 'wrong'"),
        (DataError("a.csv:7: wrong" + "!" * 5_000), "characters"),
    ],
)
def test_an_error_of_another_kind_or_without_place_or_reason_fails(error, fault):
    def read(sandbox):
        raise error

    verdict = judge(read, Refused("a.csv", "wrong", 7))
    assert verdict.outcome == "failed"
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError(verdict.faults)


def test_an_error_that_leaves_half_a_result_fails():
    def read(sandbox):
        (sandbox.target / "half").write_text("x")
        raise DataError("a.csv: wrong")

    assert judge(read, Refused("a.csv", "wrong")).faults == ("an error, and yet left behind: target/half",)


@pytest.mark.parametrize(
    ("place", "outside"),
    [
        ("evil", "above/sandbox/canary/evil"),
        ("mine", "above/sandbox/canary/mine"),
        ("../data/log", "above/sandbox/data/log"),
        ("../temporary/half", "above/sandbox/temporary/half"),
        ("../evil", "above/sandbox/evil"),
        ("../../../evil", "evil"),
        ("../target/right", None),
        ("../cache/right", None),
    ],
)
def test_what_is_written_outside_is_seen(place, outside):
    def read(sandbox):
        Path(place).write_text("x")
        return Read()

    verdict = judge(read, prepare=lambda sandbox: (sandbox.data / "log").write_text("good"))
    assert verdict.outside == (() if outside is None else (outside,))
    assert verdict.outcome == ("read_in_full" if outside is None else "failed")


def test_a_hang_fails():
    verdict = judge(lambda sandbox: time.sleep(30), seconds=0.1)
    assert verdict.faults == ("_TooSlowError where Whole was expected",)
    assert verdict.seconds < 10


def test_memory_without_bound_fails(monkeypatch):
    peaks = iter([100.0, 100.0])
    monkeypatch.setattr(checking, "_peak", lambda: next(peaks, 500.0))
    assert judge(lambda sandbox: Read(), mebibytes=300).faults == ("memory grew by 400 MiB",)


@pytest.mark.parametrize(("missing", "code"), [(0, 0), (1, 1)])
def test_the_exit_code_says_whether_any_case_failed(missing, code, monkeypatch):
    case = Case("kind", "entry", Whole(), lambda sandbox: None, lambda sandbox: Read(missing=missing))
    recorded = []
    monkeypatch.setattr(broken_files, "corpus", lambda: [case])
    monkeypatch.setattr(broken_files, "record", lambda name, fields, command: recorded.append(fields))
    monkeypatch.setattr("sys.argv", ["broken_files"])
    assert broken_files.main() == code
    assert (recorded[0]["lost"], len(recorded[0]["failures"])) == (missing, missing)
