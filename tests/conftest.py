"""What the tests of several packages share."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

# Tests are imported by path (importmode=importlib), so a module they share has to be put within their reach.
sys.path.append(str(Path(__file__).parent))

from local_engine import EngineDouble

from agents.testing.openai_server import OpenAIServer

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what runs in the background so, and tests press Ctrl-C on processes of theirs.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines that run tests are shared; how long one example takes says nothing about the code.
settings.register_profile("screentest", deadline=None)
settings.load_profile("screentest")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """No test reads or writes what the person who runs it has cached."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENTEST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def openai_server():
    """A factory of running `OpenAIServer`s, stopped when the test ends."""
    with ExitStack() as running:
        yield lambda *args, **kwargs: running.enter_context(OpenAIServer(*args, **kwargs))


@pytest.fixture
def engine(monkeypatch):
    """A factory of doubles of the engine of local models; the newest stands in the place of xllamacpp."""
    with ExitStack() as running:

        def make(*args, **kwargs):
            double = EngineDouble(*args, **kwargs)
            running.callback(double.close)
            monkeypatch.setitem(sys.modules, "xllamacpp", double)
            return double

        yield make
