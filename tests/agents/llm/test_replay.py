from __future__ import annotations

import asyncio
import socket

import pytest
from llm_doubles import ask_for, completion

from agents.llm import CallError, Endpoint, Gateway, Pace, ReplayMiss, RetryPolicy
from agents.testing.journal import MemoryJournal
from agents.testing.scripted import ScriptedClient


@pytest.fixture
def recorded():
    """The journal and endpoint of a run in which user u2 got no answer."""

    def answer(request):
        if request.draw.user == "u2":
            raise CallError("HTTP 400: no", retryable=False, status=400)
        return completion(request.draw.user)

    journal = MemoryJournal()
    with Gateway(ScriptedClient(answer), journal, pace=Pace(retry=RetryPolicy(tries=1))) as gateway:
        gateway.ask([ask_for(f"u{n}", round=r) for n in range(4) for r in range(2)])
        return journal, gateway.endpoint


@pytest.fixture
def _no_network(recorded, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a replay must not need this")

    for name in ("socket", "create_connection", "socketpair"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(asyncio, "new_event_loop", refuse)


def replayed(recorded, requests):
    journal, endpoint = recorded
    with Gateway(None, journal, endpoint=endpoint) as gateway:
        return gateway.ask(requests)


@pytest.mark.usefixtures("_no_network")
def test_a_replay_gives_answers_and_failures_as_they_were(recorded):
    told, requests = [], [ask_for(f"u{n}", round=1) for n in (3, 2, 0)]
    journal, endpoint = recorded
    before = list(journal.kept)
    with Gateway(None, journal, endpoint=endpoint) as gateway:
        records = gateway.ask(requests, told.append)
    assert [record.completion and record.completion.text for record in records] == ["u3", None, "u0"]
    assert records[1].error == "HTTP 400: no"
    assert {record.source for record in records} == {"journal"}
    assert told == records
    assert journal.kept == before


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(
    ("asked", "nearest", "difference"),
    [
        (ask_for("u1", "hello you", round=1), "user 'u1', round 1", r"messages\[0\].content at character 5"),
        (
            ask_for("u1", round=1, temperature=0.7),
            "user 'u1', round 1",
            "params.temperature is 0.7 now and 0.5",
        ),
        (ask_for("u1", round=1, seed=3), "user 'u1', round 1", "params.seed is 3 now and absent"),
        (ask_for("u1", round=1, model="new"), "user 'u1', round 1", "model at character 0: 'new' now"),
        (ask_for("u1", round=5), "user 'u1', round 0", "draw.round is 5 now and 0 in the record"),
        (ask_for("u9", round=1), "user 'u0', round 1", "draw.user at character 1: 'u9' now and 'u0'"),
    ],
)
def test_a_miss_names_the_nearest_request_and_the_first_difference(recorded, asked, nearest, difference):
    with pytest.raises(ReplayMiss, match=difference) as caught:
        replayed(recorded, [asked])
    assert nearest in str(caught.value)


def test_a_miss_for_another_endpoint_says_so(recorded):
    with pytest.raises(ReplayMiss, match="provider or base_url"):
        replayed((recorded[0], Endpoint("openai", "http://elsewhere/v1")), [ask_for("u1")])


def test_a_miss_in_an_empty_journal_says_so(recorded):
    with pytest.raises(ReplayMiss, match="holds no call at all"):
        replayed((MemoryJournal(), recorded[1]), [ask_for("u1")])
