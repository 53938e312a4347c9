"""The simulator's command line inside the test process, for benchmarks that start it many times."""

from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO

import pytest

from agents.llm import RetryPolicy
from benchmarks import served
from benchmarks.served import KEY, Ended
from recommender import data
from simulator import sending
from simulator.run import main


@pytest.fixture(scope="session")
def embedded():
    """The embedded data, generated once."""
    return cache(data.load)


@pytest.fixture
def run(tmp_path, monkeypatch, embedded):
    """As `CommandLine`, with retries that wait a thirtieth of what they wait in a run."""
    for module in (data, served):
        monkeypatch.setattr(
            module, "load", lambda source, path=None, seed=0, *more: embedded(source, path, seed)
        )
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(sending, "RetryPolicy", lambda tries: RetryPolicy(tries=tries, first_wait=0.015))

    def ended(arguments):
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Ended(code, 0.0, out.getvalue(), err.getvalue())

    return ended
