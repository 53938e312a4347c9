from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_doubles import ask_for, completion

from agents.llm import Attempt, Completion, Draw, Message, Record, Request, Usage
from simulator.transcript.journal import CallJournal, JournalError

texts = st.text(st.characters(), max_size=20)  # lone surrogates and line separators included
seconds = st.floats(0, 1e6)
counts = st.one_of(st.none(), st.integers(0, 2**40))
records = st.builds(
    Record,
    key=st.text("0123456789abcdef", min_size=64, max_size=64),
    request=st.builds(
        Request,
        messages=st.lists(st.builds(Message, texts, texts), max_size=3).map(tuple),
        model=texts,
        params=st.dictionaries(texts, st.one_of(st.integers(), seconds, texts, st.lists(texts, max_size=2))),
        draw=st.builds(Draw, texts, st.integers(), st.integers()),
    ),
    attempts=st.lists(
        st.builds(Attempt, st.none() | texts, st.none() | st.integers(), seconds), max_size=3
    ).map(tuple),
    completion=st.none() | st.builds(Completion, texts, texts, st.builds(Usage, counts, counts), texts),
    error=st.none() | texts,
    source=st.sampled_from(["client", "cache"]),
    started=texts,
    seconds=seconds,
)


def record(n: int) -> Record:
    return Record(
        key=f"{n:064x}",
        request=ask_for(f"u{n}", f"Toy Story, é {n}"),
        attempts=(Attempt("HTTP 503", 503, 0.5), Attempt(None, None, 1.25)),
        completion=completion(f"1, {n}"),
        error=None,
        source="client",
        started="2026-01-01T00:00:00.000+00:00",
        seconds=1.75,
    )


@pytest.fixture
def path(tmp_path):
    """A journal of three records."""
    path = tmp_path / "calls.jsonl"
    with CallJournal(path, "append") as journal:
        journal.append([record(0), record(1)])
        journal.append([record(2)])
    return path


@given(st.lists(records, max_size=4, unique_by=lambda r: r.key))
@settings(max_examples=50)
def test_what_is_kept_is_read_back(tmp_path_factory, kept):
    path = tmp_path_factory.mktemp("run") / "calls.jsonl"
    with CallJournal(path, "append") as journal:
        journal.append(kept)
        assert list(journal.records()) == kept
    with CallJournal(path, "read") as journal:
        assert list(journal.records()) == kept
        assert [journal.get(each.key) for each in kept] == kept
        assert journal.get("none") is None
        assert journal.torn is None


def test_a_line_has_the_fields_of_the_format_and_the_hash_of_its_canonical_payload(path):
    for line in path.read_text("ascii").splitlines():
        fields = json.loads(line)
        assert set(fields) == set(
            "key request attempts completion usage started seconds error source sha256".split()
        )
        assert set(fields["request"]) == {"messages", "model", "params", "draw"}
        digest = fields.pop("sha256")
        payload = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(payload.encode()).hexdigest() == digest


@given(st.data())
@settings(max_examples=150)
def test_a_file_cut_at_any_byte_gives_all_complete_records_and_can_be_continued(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("run") / "calls.jsonl"
    with CallJournal(path, "append") as journal:
        journal.append([record(n) for n in range(3)])
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    # A line that lacks nothing but its line break is complete.
    complete = content[:cut].count(b"\n") + (content[cut : cut + 1] == b"\n")
    torn = cut > 0 and content[cut - 1 : cut + 1] not in (b"\n", b"\n{") and content[cut : cut + 1] != b"\n"
    with CallJournal(path, "read") as journal:
        assert list(journal.records()) == [record(n) for n in range(complete)]
        assert (journal.torn is not None) == torn
    assert path.read_bytes() == content[:cut]
    with CallJournal(path, "append") as journal:
        assert (journal.torn is not None) == torn
        journal.append([record(n) for n in range(complete, 3)])
        assert list(journal.records()) == [record(n) for n in range(3)]
    assert path.read_bytes() == content


@given(st.data())
@settings(max_examples=150)
def test_any_changed_byte_is_an_error_with_its_line_or_a_reported_drop_of_the_last(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("run") / "calls.jsonl"
    with CallJournal(path, "append") as journal:
        journal.append([record(n) for n in range(3)])
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    line = content[:place].count(b"\n") + 1
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    path.write_bytes(content)
    if place == len(content) - 1:  # the last line break became part of a torn line
        with CallJournal(path, "read") as journal:
            assert list(journal.records()) == [record(0), record(1)]
            assert f"{path}:3" in journal.torn
    else:
        with pytest.raises(JournalError, match=re.escape(f"{path}:{line}:")):
            CallJournal(path, "read")


def test_a_line_torn_in_the_middle_is_an_error_that_names_it(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:50] + b"\n" + lines[2])
    for mode in ("read", "append"):
        with pytest.raises(JournalError, match=re.escape(f"{path}:2: this line is not as it was written")):
            CallJournal(path, mode)


def test_a_line_with_a_right_hash_but_other_fields_is_an_error(path):
    payload = b'{"key":"x"}'
    seal = hashlib.sha256(payload).hexdigest().encode()
    path.write_bytes(payload[:-1] + b',"sha256":"' + seal + b'"}\n')
    with pytest.raises(JournalError, match=r":1: .*another version"):
        CallJournal(path, "read")


def test_a_torn_line_is_reported(path, caplog):
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    with CallJournal(path, "read") as journal:
        assert f"{path}:3" in journal.torn
    assert "cut short" in caplog.text


def test_reading_needs_a_file_and_writes_none(tmp_path):
    with pytest.raises(JournalError, match="cannot open"):
        CallJournal(tmp_path / "calls.jsonl", "read")
    assert not list(tmp_path.iterdir())


def test_a_journal_opened_to_read_takes_no_record_and_needs_no_right_to_write(path):
    path.chmod(0o400)
    before = path.read_bytes()
    with CallJournal(path, "read") as journal, pytest.raises(JournalError, match="not open for writing"):
        journal.append([record(9)])
    assert path.read_bytes() == before


def test_of_two_records_of_one_key_the_later_counts(path):
    later = replace(record(1), completion=None, error="HTTP 500")
    with CallJournal(path, "append") as journal:
        journal.append([later])
    with CallJournal(path, "read") as journal:
        assert journal.get(later.key) == later
        assert len(journal) == 3


def test_after_a_failed_write_nothing_more_is_accepted(path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with CallJournal(path, "append") as journal:
        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(JournalError, match="No space left"):
            journal.append([record(3)])
        monkeypatch.undo()
        with pytest.raises(JournalError, match="earlier write failed"):
            journal.append([record(4)])
        assert journal.get(record(3).key) is None
