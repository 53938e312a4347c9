from __future__ import annotations

import pytest
from embedded_town import question

from agents.embedded.null import EchoUser, RandomUser
from agents.embedded.standin import StandIn, StandInConfig
from agents.llm import CallError, Draw, Request
from agents.llm.openai_client import OpenAIClient
from agents.testing.conformance import ChatClientConformance
from agents.testing.openai_server import Fault
from agents.testing.scripted import ScriptedClient


class TestScripted(ChatClientConformance):
    def make(self):
        return ScriptedClient()

    def make_failing(self):
        def fail(request):
            raise CallError("busy", retryable=True)

        return ScriptedClient(fail)


class TestOpenAI(ChatClientConformance):
    @pytest.fixture(autouse=True)
    def _server(self, openai_server):
        self.serve = openai_server

    def make(self):
        self.server = getattr(self, "server", None) or self.serve()
        return OpenAIClient(base_url=self.server.base_url, api_key_env=None)

    def make_failing(self):
        return OpenAIClient(base_url=self.serve(faults=[Fault.ERROR_500]).base_url, api_key_env=None)


class _Embedded(ChatClientConformance):
    @pytest.fixture(autouse=True)
    def _town(self, town):
        self.town = town

    def request(self, user="u1"):
        return Request(question([], self.town.titles[:8]), "embedded", {}, Draw(user, 1, 0))


class TestEcho(_Embedded):
    def make(self):
        return EchoUser(self.town.reader)


class TestRandom(_Embedded):
    def make(self):
        return RandomUser(self.town.reader, 0)


class TestStandIn(_Embedded):
    def make(self):
        return StandIn(self.town.reader, self.town.knowledge, StandInConfig(), 0)
