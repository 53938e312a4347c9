"""One Ray cluster of this machine for all tests of it; and actors that tests know the processes of."""

from __future__ import annotations

import os

import pytest
from small_runs import CANARY, KEY_VARIABLE

from simulator.cluster import players


@pytest.fixture(scope="session")
def cluster():
    """The module ray, connected. Its workers have the key of the tests in their environment, as a user's would."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    before = {name: os.environ.get(name) for name in (KEY_VARIABLE, "RAY_USAGE_STATS_ENABLED")}
    os.environ |= {KEY_VARIABLE: CANARY, "RAY_USAGE_STATS_ENABLED": "0"}
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield ray
    ray.shutdown()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture
def processes(cluster, monkeypatch):
    """The ids of the actors' processes, by shard, once a run has begun."""
    ids = []

    class Watched(players.Actors):
        def __init__(self, *args):
            super().__init__(*args)
            ids[:] = [process for _, process in self.places]

    monkeypatch.setattr(players, "Actors", Watched)
    return ids
