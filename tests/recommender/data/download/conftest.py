"""What the tests of downloads share."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from file_server import FileServer


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """The server of a test is on this machine, whatever stands between it and others."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def serve():
    """A factory of running `FileServer`s, stopped when the test ends."""
    with ExitStack() as running:
        yield lambda pages: running.enter_context(FileServer(pages))


@pytest.fixture
def tree(tmp_path):
    """Everything below `tmp_path`, with contents."""

    def look():
        return {
            str(path.relative_to(tmp_path)): path.read_bytes() if path.is_file() else None
            for path in sorted(tmp_path.rglob("*"))
        }

    return look
