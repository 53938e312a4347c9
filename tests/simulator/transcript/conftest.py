"""Runs that tests of the record look at, and the command line as a function."""

from __future__ import annotations

import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
from small_runs import Finished, simulate

from simulator.transcript.__main__ import main


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    out = tmp_path_factory.mktemp("transcripts") / "recorded"
    return simulate(out, "refinement.weight=validation", "refinement.validation_share=0.3", "rounds=2")


@pytest.fixture
def copied(recorded, tmp_path):
    """A copy of the run that a test may damage."""
    shutil.copytree(recorded.path, tmp_path / "copied")
    return Finished(0, "", "", tmp_path / "copied")


@pytest.fixture
def transcript():
    """Run `python -m simulator.transcript` with these arguments in this process."""

    def run(*arguments):
        printed, told = StringIO(), StringIO()
        with redirect_stdout(printed), redirect_stderr(told):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as exit_:
                code = exit_.code
        return Finished(code, printed.getvalue(), told.getvalue(), None)

    return run
