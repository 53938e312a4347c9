"""The client of a local model against a double of the engine, over real HTTP; the real one is in test_engine.py."""

import asyncio
import sys
from itertools import repeat

import pytest
from llm_doubles import ask_for

from agents.llm import CallError, ClientSetupError
from agents.local.client import LocalClient
from agents.local.server import ServerSettings
from agents.testing.conformance import ChatClientConformance
from agents.testing.openai_server import Fault

SETTINGS = ServerSettings(context=512, slots=2, threads=1)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "folder" / "mine.gguf"
    path.parent.mkdir()
    path.write_bytes(b"GGUF and so on")
    return str(path)


class TestConformance(ChatClientConformance):
    @pytest.fixture(autouse=True)
    def _served(self, engine, model):
        self._engine, self._model = engine, model

    def make(self):
        self._engine()
        return LocalClient(self._model, SETTINGS)

    def make_failing(self):
        self._engine(faults=repeat(Fault.ERROR_500))
        return LocalClient(self._model, SETTINGS)


def answers(client, requests, close=True):
    """What each request is answered, exceptions among them."""

    async def ask_all():
        try:
            return await asyncio.gather(*map(client.complete, requests), return_exceptions=True)
        finally:
            if close:
                await client.aclose()

    return asyncio.run(ask_all())


def test_what_it_is_holds_neither_a_path_nor_a_port(engine, model, tmp_path):
    engine()
    client = LocalClient(model, SETTINGS)
    copy = tmp_path / "other.gguf"
    copy.write_bytes(b"GGUF and so on")
    other = tmp_path / "changed.gguf"
    other.write_bytes(b"GGUF and so on.")
    assert client.base_url == ""
    assert client.provider == LocalClient(str(copy), SETTINGS).provider
    assert client.provider != LocalClient(str(other), SETTINGS).provider
    assert client.label == "local model mine.gguf by llama.cpp"


def test_one_server_is_started_by_the_first_call_and_stopped_at_the_end(engine, model):
    double = engine(lambda body: body["messages"][0]["content"].upper(), delay=0.02)
    client = LocalClient(model, SETTINGS)
    assert double.servers == []
    said = answers(client, [ask_for(text=f"a{number}") for number in range(9)])
    assert [completion.text for completion in said] == [f"A{number}" for number in range(9)]
    assert len(double.servers) == 1
    assert double.serving == 0
    assert double.servers[0].most_at_once == SETTINGS.slots
    (params,) = double.params
    assert params.model.path == model
    assert params.model_alias == {"mine.gguf"}
    assert (params.hostnames, params.port) == (["127.0.0.1"], 0)
    assert (params.n_ctx, params.n_parallel) == (1024, 2)
    assert params.cpuparams.n_threads == params.cpuparams_batch.n_threads == 1
    assert params.cache_ram_mib == 0
    assert double.servers[0].received[0].authorization in ("", "Bearer none"), "no key of anybody's"


def test_a_client_that_was_never_asked_starts_and_stops_nothing(engine, model):
    double = engine()
    assert answers(LocalClient(model, SETTINGS), []) == []
    assert double.params == []


def test_a_server_that_does_not_come_up_is_told_to_every_caller_and_tried_once(engine, model):
    double = engine(refuses=True)
    said = answers(LocalClient(model, SETTINGS), [ask_for(text=str(number)) for number in range(3)])
    assert {type(error) for error in said} == {ClientSetupError}
    assert model in str(said[0])
    assert "users.local.context" in str(said[0])
    assert len(double.params) == 1


def test_a_caller_that_gives_up_while_the_server_starts_takes_it_from_nobody(engine, model):
    double = engine()
    client = LocalClient(model, SETTINGS)

    async def ask():
        first = asyncio.create_task(client.complete(ask_for("first")))
        second = asyncio.create_task(client.complete(ask_for("second")))
        await asyncio.sleep(0)
        first.cancel()
        try:
            return await second
        finally:
            await client.aclose()

    assert asyncio.run(ask()).text == "ok"
    assert (len(double.servers), double.serving) == (1, 0)


def test_closed_while_it_starts_it_leaves_no_server_behind(engine, model):
    double = engine()
    client = LocalClient(model, SETTINGS)

    async def ask():
        call = asyncio.create_task(client.complete(ask_for()))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        await client.aclose()

    asyncio.run(ask())
    assert (len(double.servers), double.serving) == (1, 0)


def test_failures_of_the_server_reach_the_gateway_as_they_are(engine, model):
    double = engine()
    client = LocalClient(model, SETTINGS)

    async def ask():
        assert (await client.complete(ask_for())).text == "ok"
        double.servers[0]._faults = iter([Fault.CUT_BEFORE, Fault.BAD_REQUEST, None])
        errors = []
        for _ in range(2):
            with pytest.raises(CallError) as caught:
                await client.complete(ask_for())
            errors.append(caught.value.retryable)
        last = await client.complete(ask_for())
        await client.aclose()
        return errors, last.text

    assert asyncio.run(ask()) == ([True, False], "ok")


def test_a_proxy_of_the_environment_is_not_asked(engine, model, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    engine()
    (answer,) = answers(LocalClient(model, SETTINGS), [ask_for()])
    assert answer.text == "ok"


def test_without_the_engine_it_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(
        ClientSetupError, match=r"xllamacpp.*not installed: pip install 'screentest\[local\]'"
    ):
        LocalClient(model, SETTINGS)
