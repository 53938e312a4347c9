"""Small runs of the command line inside the test process, so that many of them take seconds."""

from __future__ import annotations

import json
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

from simulator.run import main

SCENARIO = Path(__file__).with_name("small.yaml")
"""12 users, histories of 5 and 10, 10 candidates of the most popular, 5 of them shown; the stand-in answers."""


@dataclass(frozen=True)
class Finished:
    """What a run left behind."""

    code: int
    out: str
    err: str
    path: Path

    @cached_property
    def turns(self):
        return lines(self.path / "turns.jsonl")

    @cached_property
    def calls(self):
        return lines(self.path / "calls.jsonl")

    @cached_property
    def metrics(self):
        return json.loads((self.path / "metrics.json").read_bytes())

    @cached_property
    def summary(self):
        return json.loads((self.path / "summary.json").read_bytes())

    def bytes_of(self, name):
        return (self.path / name).read_bytes()


def lines(path):
    """The values of a JSON Lines file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def simulate(out, *overrides, options=(), scenario=SCENARIO):
    """Run the command line with `--out out` and one `--set` for each override."""
    arguments = [] if scenario is None else [str(scenario)]
    for override in overrides:
        arguments += ["--set", override]
    printed, told = StringIO(), StringIO()
    with redirect_stdout(printed), redirect_stderr(told):
        try:
            code = main([*arguments, *map(str, options), "--out", str(out)])
        except SystemExit as exit_:
            code = exit_.code
    return Finished(code, printed.getvalue(), told.getvalue(), Path(out))


def replay(run, out, *overrides, options=()):
    """Replay a finished run."""
    return simulate(out, *overrides, options=("--replay", run.path, *options), scenario=None)


def files(folder):
    """Every file of a folder with its bytes."""
    return {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def set_environment(patch, **values):
    """Set variables, or remove those that are None, through a monkeypatch."""
    for name, value in values.items():
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setitem(os.environ, name, str(value))
