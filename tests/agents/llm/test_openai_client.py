from __future__ import annotations

import asyncio
import socket
import time

import pytest
from llm_doubles import ask_for

from agents.llm import CallError, ClientSetupError, Usage
from agents.llm.openai_client import OpenAIClient
from agents.testing.openai_server import TRANSIENT, Fault

CANARY = "sk-canary-7f3a9d"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", CANARY)


def complete(base_url, request=None, *, timeout=5.0, key="TEST_KEY"):
    async def once():
        client = OpenAIClient(base_url=base_url, api_key_env=key, timeout=timeout)
        try:
            return await client.complete(request or ask_for())
        finally:
            await client.aclose()

    return asyncio.run(once())


def test_the_body_is_sent_as_it_is_and_the_answer_read(openai_server):
    server = openai_server(answer=lambda body: body["messages"][0]["content"].upper())
    request = ask_for(text="three words here", top_k=3, seed=7)
    answer = complete(server.base_url, request)
    assert answer.text == "THREE WORDS HERE"
    assert (answer.finish_reason, answer.usage, answer.model) == ("stop", Usage(3, 3), "test-model")
    assert [received.body for received in server.received] == [request.body()]
    assert server.received[0].authorization == f"Bearer {CANARY}"


def test_an_answer_cut_by_length_says_so(openai_server):
    server = openai_server(answer=lambda body: "12345678", faults=[Fault.LENGTH])
    answer = complete(server.base_url)
    assert (answer.text, answer.finish_reason) == ("1234", "length")


@pytest.mark.parametrize("fault", TRANSIENT, ids=lambda fault: fault.name)
def test_passing_trouble_is_retryable(openai_server, fault):
    server = openai_server(faults=[fault], retry_after=2.5)
    with pytest.raises(CallError) as caught:
        complete(server.base_url)
    assert caught.value.retryable
    asked = caught.value.retry_after
    if fault in (Fault.RATE_SECONDS, Fault.RATE_MS):
        assert asked == 2.5
    elif fault is Fault.RATE_DATE:
        assert asked is not None
        assert 0 < asked <= 2.5
    else:
        assert asked is None
    assert server.requests == 1  # the SDK's own retries are off


@pytest.mark.parametrize(
    ("fault", "status", "advice"),
    [
        (Fault.BAD_REQUEST, 400, "rejects the request"),
        (Fault.BAD_KEY, 401, "TEST_KEY"),
        (Fault.FORBIDDEN, 403, "may not use model 'test-model'"),
        (Fault.NO_MODEL, 404, "no model 'test-model'"),
        (Fault.NO_QUOTA, 429, "quota"),
    ],
)
def test_what_no_retry_can_mend_is_final_and_says_what_to_do(openai_server, fault, status, advice):
    with pytest.raises(CallError, match=advice) as caught:
        complete(openai_server(faults=[fault]).base_url)
    assert not caught.value.retryable
    assert caught.value.status == status


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.DRIP])
def test_the_timeout_is_for_the_attempt_as_a_whole(openai_server, fault):
    server = openai_server(faults=[fault], fault_wait=20)
    start = time.perf_counter()
    with pytest.raises(CallError, match=r"within 0\.3 s") as caught:
        complete(server.base_url, timeout=0.3)
    assert caught.value.retryable
    assert time.perf_counter() - start < 5


def test_a_server_that_is_not_there_is_retryable_and_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(CallError, match=url) as caught:
        complete(url)
    assert caught.value.retryable
    assert caught.value.status is None


def test_the_key_is_in_no_message_repr_or_answer(openai_server):
    server = openai_server(answer=lambda body: f"your key is {CANARY}", faults=[Fault.BAD_KEY])
    with pytest.raises(CallError) as caught:
        complete(server.base_url)
    error = caught.value
    while error is not None:
        assert CANARY not in f"{error!r}{vars(error)}"
        error = error.__cause__ or error.__context__
    client = OpenAIClient(base_url=server.base_url, api_key_env="TEST_KEY")
    assert CANARY not in f"{client!r} {client.label} {client.base_url}"
    assert complete(server.base_url).text == "your key is [key]"


def test_a_server_without_keys_needs_none(openai_server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server = openai_server()
    assert complete(server.base_url, key=None).text == "ok"
    assert CANARY not in server.received[0].authorization


def test_a_missing_key_is_named(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ClientSetupError, match="OPENAI_API_KEY"):
        OpenAIClient()


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "ключ"])
def test_an_unusable_key_is_refused_without_showing_it(monkeypatch, key):
    monkeypatch.setenv("TEST_KEY", key)
    with pytest.raises(ClientSetupError, match="TEST_KEY") as caught:
        OpenAIClient(api_key_env="TEST_KEY")
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://host/v1", "http://", "http://host:port/v1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ClientSetupError, match="address"):
        OpenAIClient(base_url=url, api_key_env="TEST_KEY")


@pytest.mark.parametrize("url", ["http://me:hunter2@host/v1", "http://host/v1?api-key=hunter2"])
def test_credentials_in_the_address_are_refused_and_not_shown(url):
    with pytest.raises(ClientSetupError, match="api_key_env") as caught:
        OpenAIClient(base_url=url, api_key_env="TEST_KEY")
    assert "hunter2" not in str(caught.value)
