"""The engine of local models: whether the real one is there, and a double that answers over real HTTP."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import pytest

from agents.llm import ClientSetupError
from agents.local.weights import find_weights
from agents.testing.openai_server import OpenAIServer


def _missing():
    if find_spec("xllamacpp") is None:
        return "xllamacpp is not installed: pip install '.[local]'"
    try:
        find_weights("smollm2")
    except ClientSetupError as error:
        return str(error)
    return None


needs_model = pytest.mark.skipif(_missing() is not None, reason=f"needs a local model ({_missing()})")
"""For tests that ask the real model."""


class EngineDouble(ModuleType):
    """A module `xllamacpp` whose servers are `OpenAIServer`s, answering by a function.

    `refuses`: a server cannot be made, as with damaged weights.
    """

    def __init__(self, answer=lambda body: "ok", *, delay=0.0, faults=(), refuses=False):
        super().__init__("xllamacpp")
        self.__spec__ = ModuleSpec("xllamacpp", None)
        self._made = {"answer": answer, "delay": delay, "faults": faults}
        self._refuses = refuses
        self._running = ExitStack()
        self.params = []
        """What each server was made with."""
        self.servers = []
        self.serving = 0

    def CommonParams(self):  # noqa: N802 - as the module has it
        return SimpleNamespace(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
        )

    def Server(self, params):  # noqa: N802
        self.params.append(params)
        if self._refuses:
            raise RuntimeError("Failed to init server, please check the input params.")
        return _Server(self, self._running.enter_context(OpenAIServer(**self._made)))

    def close(self):
        self._running.close()


class _Server:
    def __init__(self, engine, server):
        self._engine = engine
        self.listening_address = server.base_url.removesuffix("/v1")
        engine.servers.append(server)
        engine.serving += 1

    def __del__(self):
        self._engine.serving -= 1
