"""A run that sends whole rounds through the Batch API: the same turns as call by call, and nothing submitted twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import CANARY, KEY_VARIABLE, files, go_on, replay, said, study

from agents.testing.batch_server import BatchServer
from agents.testing.openai_server import Fault

pytestmark = pytest.mark.usefixtures("endpoint_environment")
QUICK = ("users.send=batch", "users.batch_poll_s=0.01", "users.cache=false")
TWO_ROUNDS = ("rounds=2", "refinement.weight=validation", "refinement.validation_share=0.3")


@pytest.fixture
def batch_server(audience, openai_server):
    """A factory of servers whose Batch API behaves as asked."""
    return lambda **behaviour: openai_server(audience, batches=BatchServer(**behaviour))


def test_the_turns_are_those_of_sending_call_by_call(batch_server, tmp_path):
    server = batch_server()
    singly = study(tmp_path / "singly", server.base_url, *TWO_ROUNDS, "users.cache=false")
    asked = server.requests
    together = study(tmp_path / "together", server.base_url, *TWO_ROUNDS, *QUICK)
    assert (singly.code, together.code) == (0, 0), together.err
    assert server.requests == asked, "nothing was sent call by call"
    for name in ("turns.jsonl", "metrics.json", "per_user.parquet"):
        assert together.bytes_of(name) == singly.bytes_of(name), name
    assert server.batches.sizes == [8, 24, 24]
    assert set(server.batches.answered.values()) == {1}
    assert "24 calls sent" in together.err
    replayed = replay(together, tmp_path / "replayed")
    assert replayed.bytes_of("turns.jsonl") == together.bytes_of("turns.jsonl")
