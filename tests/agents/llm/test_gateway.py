from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from llm_doubles import ask_for, completion

from agents.llm import CallError, Endpoint, EndpointRefuses, Gateway, Pace, ResponseCache, RetryPolicy
from agents.llm.openai_client import OpenAIClient
from agents.testing.journal import MemoryJournal
from agents.testing.openai_server import Fault, seeded_faults
from agents.testing.scripted import ScriptedClient
from simulator.transcript.journal import CallJournal

QUICK = RetryPolicy(tries=8, first_wait=0.002, longest_wait=0.01)
CANARY = "sk-canary-7f3a9d"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", CANARY)


@pytest.fixture
def journal():
    return MemoryJournal()


def live(server, journal, *, concurrency=8, retry=QUICK, cache=None):
    client = OpenAIClient(base_url=server.base_url, api_key_env="TEST_KEY", timeout=5)
    at_hand = [] if cache is None else [cache]
    return Gateway(client, journal, at_hand=at_hand, cache=cache, pace=Pace(concurrency, retry=retry))


@pytest.mark.parametrize("concurrency", [1, 64])
def test_every_planned_request_is_recorded_once_through_faults(openai_server, tmp_path, concurrency):
    server = openai_server(
        lambda body: body["messages"][0]["content"] + "!", faults=seeded_faults(0.3, seed=4)
    )
    requests = [ask_for(f"u{n}", f"question {n}") for n in range(100)]
    told = []
    with (
        CallJournal(tmp_path / "calls.jsonl", "append") as journal,
        live(server, journal, concurrency=concurrency) as gateway,
    ):
        records = gateway.ask(requests, told.append)
        lines = [record.key for record in journal.records()]
    assert [record.request for record in records] == requests
    assert [record.completion.text for record in records] == [f"question {n}!" for n in range(100)]
    assert Counter(lines) == Counter(record.key for record in records)
    assert (tmp_path / "calls.jsonl").read_bytes().count(b"\n") == len(set(lines)) == 100
    assert sorted(record.key for record in told) == sorted(lines)
    # Each request the server saw is an attempt in the journal, and only the last of each call was answered.
    assert sum(len(record.attempts) for record in records) == server.requests > 100
    assert all(
        [a.error is None for a in r.attempts] == [False] * (len(r.attempts) - 1) + [True] for r in records
    )
    assert server.answered == 100
    assert server.most_at_once <= concurrency


def test_a_failed_call_is_a_record_and_loses_no_other(openai_server, journal):
    server = openai_server(faults=[Fault.BAD_REQUEST])
    with live(server, journal, concurrency=1) as gateway:
        records = gateway.ask([ask_for("u1"), ask_for("u2")])
    assert [record.error is None for record in records] == [False, True]
    assert records[0].completion is None
    assert "HTTP 400" in records[0].error
    assert [attempt.status for attempt in records[0].attempts] == [400]
    assert [record.key for record in journal.kept] == [record.key for record in records]


def test_a_call_that_never_succeeds_ends_after_its_tries(openai_server, journal):
    server = openai_server(faults=[Fault.ERROR_503] * 3)
    with live(server, journal, retry=RetryPolicy(tries=3, first_wait=0.001)) as gateway:
        (record,) = gateway.ask([ask_for()])
    assert record.completion is None
    assert "given up after 3 tries" in record.error
    assert [attempt.status for attempt in record.attempts] == [503] * 3
    assert server.requests == 3


@pytest.mark.parametrize("fault", [Fault.BAD_KEY, Fault.FORBIDDEN, Fault.NO_MODEL, Fault.NO_QUOTA])
def test_a_refused_key_or_model_ends_the_asking_at_once(openai_server, journal, fault):
    server = openai_server(faults=[fault] * 1000)
    requests = [ask_for(f"u{n}") for n in range(200)]
    with live(server, journal, concurrency=4) as gateway, pytest.raises(EndpointRefuses, match="HTTP 4"):
        gateway.ask(requests)
    assert server.requests == len(journal.kept) <= 4
    assert all(record.completion is None for record in journal.kept)
    # Once the trouble is mended the same calls are made again, and all others.
    with live(openai_server(), journal, concurrency=4) as gateway:
        endpoint = gateway.endpoint
        records = gateway.ask(requests)
    assert all(record.completion is not None for record in records)
    assert endpoint.base_url != ""


def test_a_refusal_of_the_only_call_ends_the_asking_too(openai_server, journal):
    server = openai_server(faults=[Fault.BAD_KEY])
    with live(server, journal) as gateway, pytest.raises(EndpointRefuses, match="TEST_KEY"):
        gateway.ask([ask_for()])
    assert [record.halting for record in journal.kept] == [True]


def test_one_refusal_among_answers_stops_nothing_but_three_in_a_row_do(openai_server, journal):
    refusals = [None, Fault.FORBIDDEN, None, Fault.FORBIDDEN, Fault.FORBIDDEN, Fault.FORBIDDEN]
    server = openai_server(faults=refusals)
    with live(server, journal, concurrency=1) as gateway, pytest.raises(EndpointRefuses, match="HTTP 403"):
        gateway.ask([ask_for(f"u{n}") for n in range(10)])
    assert [record.error is None for record in journal.kept] == [True, False, True, *[False] * 3]
    assert [record.halting for record in journal.kept] == [*[False] * 5, True]
    assert server.requests == 6


def test_a_server_that_is_not_there_ends_the_asking_soon(journal):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    client = OpenAIClient(base_url=url, api_key_env="TEST_KEY")
    pace = Pace(2, retry=RetryPolicy(tries=2, first_wait=0.001))
    with Gateway(client, journal, pace=pace) as gateway, pytest.raises(EndpointRefuses, match=re.escape(url)):
        gateway.ask([ask_for(f"u{n}") for n in range(20)])
    assert sum(len(record.attempts) for record in journal.kept) <= 4


def test_what_failed_before_is_asked_again_only_where_that_is_wished(journal):
    def refuse(request):
        raise CallError("HTTP 500", retryable=False, status=500)

    with Gateway(ScriptedClient(refuse), journal) as gateway:
        gateway.ask([ask_for()])
    with Gateway(client := ScriptedClient(), journal) as gateway:
        assert gateway.ask([ask_for()])[0].completion is None
    assert client.asked == []
    with Gateway(client := ScriptedClient(), journal, retry_errors=True) as gateway:
        (record,) = gateway.ask([ask_for()])
    assert [attempt.status for attempt in record.attempts] == [500, None]
    assert record.completion is not None


def test_identical_requests_at_once_make_one_call(journal):
    client, told = ScriptedClient(pause=0.01), []
    with Gateway(client, journal, pace=Pace(64)) as gateway:
        records = gateway.ask([ask_for()] * 16, told.append)
        again = gateway.ask([ask_for()])
    assert len(client.asked) == len(journal.kept) == 1
    assert len(records) == len(told) == 16
    assert {record.key for record in records} == {journal.kept[0].key}
    assert again[0].source == "journal"


def test_distinct_draws_of_one_text_are_distinct_calls(journal):
    client = ScriptedClient()
    requests = [ask_for(user, round=r, replicate=p) for user in ("a", "b") for r in (0, 1) for p in (0, 1)]
    with Gateway(client, journal, pace=Pace(64)) as gateway:
        gateway.ask(requests)
    assert len(client.asked) == len(journal.kept) == 8


def test_calls_in_flight_reach_the_concurrency_and_not_more(journal):
    client = ScriptedClient(pause=0.005)
    with Gateway(client, journal, pace=Pace(7)) as gateway:
        gateway.ask([ask_for(f"u{n}") for n in range(40)])
    assert client.most_in_flight == 7


def test_records_come_in_the_order_asked_whatever_order_they_end_in(openai_server, journal):
    server = openai_server(lambda body: body["messages"][0]["content"], faults=[Fault.SLOW], fault_wait=0.1)
    with live(server, journal) as gateway:
        records = gateway.ask([ask_for(f"u{n}", str(n)) for n in range(6)])
    assert [record.completion.text for record in records] == list("012345")
    assert [record.request.draw.user for record in journal.kept] != [f"u{n}" for n in range(6)]


def test_a_client_that_never_waits_does_not_hold_up_the_keeping(journal):
    class Immediate(ScriptedClient):
        async def complete(self, request):
            self.asked.append(request)
            sum(range(50_000))  # works, and never lets another task run
            return completion()

    client, asked_by_then = Immediate(), []
    with Gateway(client, journal, pace=Pace(4)) as gateway:
        gateway.ask(
            [ask_for(f"u{n}") for n in range(200)], lambda record: asked_by_then.append(len(client.asked))
        )
    assert asked_by_then[0] < 100


def test_a_record_is_kept_before_it_is_handed_out(journal):
    seen = []
    with Gateway(ScriptedClient(), journal) as gateway:
        gateway.ask([ask_for(f"u{n}") for n in range(20)], lambda record: seen.append(record in journal.kept))
    assert seen == [True] * 20


def test_the_cache_serves_another_run_and_keeps_no_failure(openai_server, tmp_path):
    def refuse(request):
        if request.draw.user == "bad":
            raise CallError("HTTP 400", retryable=False, status=400)
        return completion(request.draw.user)

    requests, sources = [ask_for("good"), ask_for("bad")], []
    for _ in range(2):
        cache, journal, client = ResponseCache(tmp_path), MemoryJournal(), ScriptedClient(refuse)
        with Gateway(client, journal, at_hand=[cache], cache=cache) as gateway:
            records = gateway.ask(requests)
        cache.close()
        sources.append([record.source for record in records])
        assert len(journal.kept) == 2  # a cached answer is part of this run's record too
    assert sources == [["client", "client"], ["cache", "client"]]
    assert [request.draw.user for request in client.asked] == ["bad"]


def test_a_program_fault_in_a_client_is_raised_and_what_had_ended_is_kept(journal):
    def broken(request):
        if request.draw.user == "u3":
            raise ZeroDivisionError
        return completion()

    with Gateway(ScriptedClient(broken), journal, pace=Pace(1)) as gateway, pytest.raises(ZeroDivisionError):
        gateway.ask([ask_for(f"u{n}") for n in range(6)])
    assert [record.request.draw.user for record in journal.kept] == ["u0", "u1", "u2"]


def test_a_journal_that_cannot_keep_ends_the_asking(journal):
    def full(records):
        raise OSError("disk full")

    journal.append = full
    client = ScriptedClient(pause=0.001)
    with Gateway(client, journal, pace=Pace(2)) as gateway, pytest.raises(OSError, match="disk full"):
        gateway.ask([ask_for(f"u{n}") for n in range(500)])
    assert len(client.asked) < 100  # no more answers are paid for that nobody can keep


def test_an_interrupt_closes_cleanly_with_what_had_ended_in_the_journal(journal):
    client = ScriptedClient(lambda request: completion(), pause=0.05)
    main = threading.main_thread().ident
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    with Gateway(client, journal, pace=Pace(2)) as gateway:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            gateway.ask([ask_for(f"u{n}") for n in range(1000)])
    timer.join()
    assert client.closed == 1
    assert client.in_flight == 0
    assert 2 <= len(journal.kept) < len(client.asked) < 30
    assert len(client.asked) - len(journal.kept) <= 2  # only what was in flight is lost


def test_the_key_is_in_no_byte_written(openai_server, tmp_path):
    faults = [
        Fault.BAD_REQUEST,
        Fault.INVALID_JSON,
        Fault.CUT_BODY,
        None,
        Fault.BAD_KEY,
        Fault.BAD_KEY,
    ]
    server = openai_server(lambda body: f"I was given {CANARY}", faults=faults)
    cache = ResponseCache(tmp_path / "cache")
    with (
        CallJournal(tmp_path / "calls.jsonl", "append") as journal,
        live(server, journal, concurrency=1, cache=cache) as gateway,
    ):
        records = gateway.ask([ask_for(f"u{n}") for n in range(8)])
    cache.close()
    assert any(CANARY in received.authorization for received in server.received)
    assert any("[key]" in (record.error or "") for record in records)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"calls.jsonl", "cache.db"}
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    assert CANARY not in repr(records)


def test_a_client_belongs_to_live_and_an_endpoint_to_replay(journal):
    with pytest.raises(ValueError, match="endpoint"):
        Gateway(None, journal)
    with pytest.raises(ValueError, match="endpoint"):
        Gateway(ScriptedClient(), journal, endpoint=Endpoint("openai", ""))
    with pytest.raises(ValueError, match="concurrency"):
        Pace(0)


KILLED = """
import sys
from pathlib import Path
sys.path.append(sys.argv[2])
from llm_doubles import ask_for

from agents.testing.scripted import ScriptedClient
from agents.llm import Gateway, Pace
from simulator.transcript.journal import CallJournal
with CallJournal(Path(sys.argv[1]), "append") as journal, Gateway(
    ScriptedClient(pause=0.01), journal, pace=Pace(4)
) as gateway:
    gateway.ask([ask_for(f"u{n}") for n in range(5000)], lambda record: print(record.key, flush=True))
"""


def test_what_was_handed_out_survives_a_kill_and_is_not_asked_again(tmp_path):
    path = tmp_path / "calls.jsonl"
    tests = Path(__file__).parents[2]
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), str(tests)],
        cwd=tests.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    handed_out = [run.stdout.readline().strip() for _ in range(40)]
    os.kill(run.pid, signal.SIGKILL)
    handed_out += run.stdout.read().split()
    run.wait()
    with CallJournal(path, "append") as journal, Gateway(client := ScriptedClient(), journal) as gateway:
        assert set(handed_out) - {""} <= {record.key for record in journal.records()}
        before = len(journal)
        assert before >= 40
        gateway.ask([ask_for(f"u{n}") for n in range(before + 10)])
        assert len(client.asked) <= 10 + 4


def test_waiting_for_the_disk_holds_up_no_call(journal):
    keep = journal.append

    def slow(records):
        time.sleep(0.05)
        keep(records)

    journal.append = slow
    with Gateway(ScriptedClient(pause=0.005), journal, pace=Pace(4)) as gateway:
        start = time.perf_counter()
        gateway.ask([ask_for(f"u{n}") for n in range(100)])
    assert len(journal.kept) == 100
    assert (
        time.perf_counter() - start < 100 * 0.05 / 4
    )  # one write after the other would take four times as long
