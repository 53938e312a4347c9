import pytest
from llm_doubles import ask_for

from agents.llm import ClientSetupError
from agents.llm.batch.ledger import BatchLedger
from agents.llm.batch.lines import Call
from agents.testing.journal import MemoryJournal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "batches.jsonl"


def test_what_was_noted_is_there_for_the_next_process(path):
    ledger, journal = BatchLedger(path), MemoryJournal()
    first, second = (
        ledger.plan([Call("a", ask_for()), Call("b", ask_for())]),
        ledger.plan([Call("c", ask_for())]),
    )
    ledger.submitted(first, "batch_1")
    ledger.end(second, "refused")
    (left,) = BatchLedger(path).open(journal)
    assert (left.id, left.token, left.calls, left.started) == (
        "batch_1",
        first.token,
        {"a": 0, "b": 0},
        first.started,
    )


def test_a_line_cut_short_is_dropped_at_whatever_byte(path):
    ledger, journal = BatchLedger(path), MemoryJournal()
    planned = ledger.plan([Call("a", ask_for())])
    before = path.stat().st_size
    ledger.submitted(planned, "batch_1")
    whole = path.read_bytes()
    for end in range(before, len(whole)):
        path.write_bytes(whole[:end])
        (left,) = BatchLedger(path).open(journal)
        assert left.id is None
        assert path.read_bytes() == whole[:before]
    for end in range(before):
        path.write_bytes(whole[:end])
        assert BatchLedger(path).open(journal) == []
        BatchLedger(path).plan([Call("b", ask_for())])
        assert [list(each.calls) for each in BatchLedger(path).open(journal)] == [["b"]]


def test_a_damaged_line_is_named_with_what_to_do(path):
    ledger = BatchLedger(path)
    ledger.plan([Call("a", ask_for())])
    ledger.plan([Call("b", ask_for())])
    path.write_bytes(path.read_bytes().replace(b'"planned"', b"planned", 1))
    with pytest.raises(ClientSetupError, match=r"batches\.jsonl:1: .*restore the file"):
        BatchLedger(path)


def test_a_file_that_cannot_be_written_stops_before_anything_is_sent(path):
    ledger = BatchLedger(path)
    path.mkdir()
    with pytest.raises(ClientSetupError, match="batches cannot be noted"):
        ledger.plan([Call("a", ask_for())])
