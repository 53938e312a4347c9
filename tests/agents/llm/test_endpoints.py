"""Proxies and certificates, as companies have them, by the ordinary environment variables."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from contextlib import contextmanager

import pytest
import trustme
from llm_doubles import ask_for

from agents.llm import CallError, ClientSetupError
from agents.llm.batch.api import BatchApi
from agents.llm.openai_client import OpenAIClient
from agents.testing.batch_server import BatchServer

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Relay:
    """Passes bytes on to a port: as the end of TLS, as an HTTP proxy that tunnels any name there, or both."""

    def __init__(self, port, *, tls=None, proxy=False):
        self.target, self.tls, self.proxy = port, tls, proxy
        self.heads = []
        """What a proxy was asked, head by head."""

    async def serve(self, reader, writer):
        try:
            if self.proxy:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                if not self.heads[-1].startswith(b"CONNECT "):
                    writer.write(b"HTTP/1.1 502 Test\r\nContent-Length: 0\r\n\r\n")
                    return
                writer.write(b"HTTP/1.1 200 Test\r\n\r\n")
            other, back = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(self.pump(reader, back), self.pump(other, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def pump(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    @contextmanager
    def running(self):
        """Its port, for as long as it runs."""
        started, ended = threading.Event(), asyncio.Event()

        async def run():
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)
            self.port, self.loop = server.sockets[0].getsockname()[1], asyncio.get_running_loop()
            started.set()
            await ended.wait()

        thread = threading.Thread(target=asyncio.run, args=(run(),))
        thread.start()
        started.wait()
        try:
            yield self.port
        finally:
            self.loop.call_soon_threadsafe(ended.set)
            thread.join()


@pytest.fixture
def company(tmp_path):
    """A certificate authority that only the company knows: its file, and what a server of it shows."""
    authority = trustme.CA()
    file = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("llm.company.test", "127.0.0.1").configure_cert(context)
    return file, context


def complete(base_url, key=None):
    async def once():
        client = OpenAIClient(base_url=base_url, api_key_env=key, timeout=10)
        try:
            return await client.complete(ask_for())
        finally:
            await client.aclose()

    return asyncio.run(once()).text


def port_of(server):
    return int(server.base_url.rpartition(":")[2].partition("/")[0])


def test_through_the_proxy_to_a_server_of_the_companys_authority(openai_server, company, monkeypatch):
    file, context = company
    server = openai_server()
    with (
        Relay(port_of(server), tls=context).running() as secure,
        Relay(secure, proxy=True).running() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass%20word@127.0.0.1:{proxy}")
        with pytest.raises(CallError, match="certificate") as caught:
            complete("https://llm.company.test/v1")
        assert "pass" not in str(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert complete("https://llm.company.test/v1") == "ok"
    assert server.requests == 1


def test_the_proxy_gets_its_password_and_never_the_key(openai_server, company, monkeypatch):
    file, context = company
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("MY_KEY", "sk-canary")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    relay = Relay(0, proxy=True)
    server = openai_server()
    with Relay(port_of(server), tls=context).running() as relay.target, relay.running() as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:pass%20word@127.0.0.1:{proxy}")
        complete("https://llm.company.test/v1", "MY_KEY")
    head = relay.heads[0].decode()
    assert head.startswith("CONNECT llm.company.test:443 ")
    assert base64.b64encode(b"me:pass word").decode() in head
    assert "sk-canary" not in head
    assert "org-1" not in head
    assert server.received[0].authorization == "Bearer sk-canary"


def test_batches_take_the_same_way(openai_server, company, monkeypatch):
    file, context = company
    monkeypatch.setenv("MY_KEY", "sk-canary")

    def upload():
        async def once():
            api = BatchApi("https://llm.company.test/v1", api_key_env="MY_KEY", timeout=10)
            try:
                return await api.upload(b"{}", "calls.jsonl")
            finally:
                await api.aclose()

        return asyncio.run(once())

    relay = Relay(0, proxy=True)
    server = openai_server(batches=BatchServer())
    with Relay(port_of(server), tls=context).running() as relay.target, relay.running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass%20word@127.0.0.1:{proxy}")
        with pytest.raises(CallError, match=r"(?i)certificate") as caught:
            upload()
        assert "pass" not in str(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert upload() == "file-1"
    head = relay.heads[-1].decode()
    assert base64.b64encode(b"me:pass word").decode() in head
    assert "sk-canary" not in head


def test_addresses_that_no_proxy_names_are_spoken_to_directly(openai_server, monkeypatch):
    server = openai_server()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(CallError, match="no connection"):
        complete(server.base_url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert complete(server.base_url) == "ok"


def test_a_proxy_of_another_kind_is_refused_without_its_password(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hunter2@127.0.0.1:1080")
    with pytest.raises(ClientSetupError, match=r"socks5://127\.0\.0\.1:1080.*NO_PROXY") as caught:
        OpenAIClient(base_url="https://llm.company.test/v1", api_key_env=None)
    assert "hunter2" not in str(caught.value)


def test_organisation_and_project_of_the_environment_are_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    relay = Relay(0, proxy=True)
    with relay.running() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy}")
        with pytest.raises(CallError, match="502"):
            complete("http://llm.company.test/v1")
    head = relay.heads[0].decode()
    assert head.startswith("POST http://llm.company.test/v1/chat/completions ")
    assert "OpenAI-Organization: org-1\r\n" in head
    assert "OpenAI-Project: proj-2\r\n" in head
