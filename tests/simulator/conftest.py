"""What makes many small runs quick, and lets them have an endpoint."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from rich.console import Console
from small_runs import CANARY, KEY_VARIABLE, SCENARIO

from agents.llm import Draw, Message, Request, RetryPolicy
from recommender import data
from recommender.features import catalogue
from recommender.stages import Stages
from simulator import sending
from simulator.scenario import load
from simulator.study import Study


@pytest.fixture(scope="session", autouse=True)
def _made_once():
    """Generate embedded data and reduce their texts once for each seed: no test here is about either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", _loader(data.load))
        patch.setattr(catalogue, "text_features", _reducer(catalogue.text_features))
        yield


def _loader(load):
    @cache
    def embedded(seed):
        return load("embedded", None, seed)

    return lambda source, path=None, seed=0, *more: (
        embedded(seed) if source == "embedded" else load(source, path, seed, *more)
    )


def _reducer(text_features):
    tables = {}

    @cache
    def features(key, seed):
        return text_features(tables[key], seed=seed)

    def remembered(items, seed):
        key = (tuple(items["title"]), tuple(items["description"]))
        tables.setdefault(key, items)
        return features(key, seed)

    return remembered


@pytest.fixture(scope="session")
def audience(silent_stages):
    """Answers a request body with the text that the stand-in would give."""
    standin = Study.of(load(SCENARIO), silent_stages).clients(silent_stages)[0]

    def answer(body):
        said = tuple(Message(message["role"], message["content"]) for message in body["messages"])
        digest = hashlib.sha256(repr(said).encode()).hexdigest()
        return standin.answer(Request(said, body["model"], {}, Draw(digest, 0, 0))).text

    return answer


@pytest.fixture(scope="session")
def silent_stages():
    return Stages(Console(quiet=True))


@pytest.fixture
def endpoint_environment(tmp_path, monkeypatch):
    """A cache of its own for each test, a key, and retries that wait a thirtieth of what they wait in a run."""
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(KEY_VARIABLE, CANARY)
    monkeypatch.setattr(sending, "RetryPolicy", lambda tries: RetryPolicy(tries=tries, first_wait=0.015))
    return tmp_path / "cache"
