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

    @property
    def turns(self):
        return lines(self.path / "turns.jsonl")

    @property
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
    arguments = [] if scenario is None else [scenario]
    for override in overrides:
        arguments += ["--set", override]
    return _finished(out, [*arguments, *options, "--no-report", "--out", out])


def go_on(path, *options):
    """Resume the run in a directory."""
    return _finished(path, ["--resume", path, "--no-report", *options])


def _finished(path, arguments):
    printed, told = StringIO(), StringIO()
    with redirect_stdout(printed), redirect_stderr(told):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = exit_.code
    return Finished(code, printed.getvalue(), told.getvalue(), Path(path))


CANARY = "sk-canary-5Xq9-never-to-be-written"
KEY_VARIABLE = "SCREENTEST_TEST_KEY"


def study(out, base_url, *overrides, options=()):
    """Run the small scenario against a server; the variable KEY_VARIABLE is to hold a key."""
    return simulate(
        out,
        "users.client=openai",
        "users.model=test-model",
        f"users.base_url={base_url}",
        f"users.api_key_env={KEY_VARIABLE}",
        "users.params={temperature: 0.7, max_tokens: 900}",
        "users.concurrency=32",
        *overrides,
        options=options,
    )


def said(run):
    """Turns without what names the address."""
    return [
        {name: value for name, value in turn.items() if name not in {"request", "client"}}
        for turn in run.turns
    ]


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
