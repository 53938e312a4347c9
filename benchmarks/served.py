"""Runs of the simulator as a user starts them, against a server of ours whose every answer says what it answers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.embedded.null import RandomUser
from agents.embedded.reading import PromptReader
from agents.llm import Draw, Message, Request
from agents.llm.canonical import canonical_json
from prompts import inline
from recommender.data import load
from simulator.run import main as run_main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCENARIO = Path(__file__).with_name("served.yaml")
"""12 users of the embedded data with histories of 5 and 10; one round of 10 candidates, 5 of them shown."""
KEY = "sk-of-a-benchmark"
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, seconds, and what it said."""

    code: int
    seconds: float
    out: str
    err: str


class CommandLine:
    """`python -m simulator.run` in a process of its own, with a key and a cache folder."""

    def __init__(self, cache: Path) -> None:
        self.environment = {
            **os.environ,
            "OPENAI_API_KEY": KEY,
            "SCREENTEST_CACHE": str(cache),
            "NO_PROXY": "127.0.0.1",
        }

    def start(self, arguments: Sequence[object]) -> subprocess.Popen[str]:
        """The process, running."""
        return subprocess.Popen(
            [sys.executable, "-m", run_main.__module__, *map(str, arguments)],
            cwd=_ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, arguments: Sequence[object]) -> Ended:
        """Run to the end."""
        began = time.perf_counter()
        with self.start(arguments) as process:
            out, err = process.communicate()
        return Ended(process.returncode, time.perf_counter() - began, out, err)


def asked(base_url: str, out: Path, overrides: Mapping[str, object], *options: object) -> list[object]:
    """The arguments of a new run of the scenario."""
    settings = {"users.base_url": base_url, **overrides}
    changes = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    return [SCENARIO, *changes, *options, "--no-report", "--out", out]


class Audience:
    """Answers as a random user would, in words that begin with the request they answer and a number that no other answer has.

    What is accepted and how it is ranked depends on the request alone.
    """

    def __init__(self) -> None:
        items = load("embedded").items
        self._user = RandomUser(PromptReader([inline(title) for title in items["title"]]), seed=0)
        self._given = 0

    def answer(self, body: dict[str, Any]) -> str:
        """An answer in the format that is asked for."""
        messages = tuple(Message(message["role"], message["content"]) for message in body["messages"])
        draw = Draw(digest(body), 0, 0)
        return self._sign(body) + self._user.answer(Request(messages, body["model"], {}, draw)).text

    def refuse(self, body: dict[str, Any]) -> str:
        """No answer, politely."""
        return self._sign(body) + "I'm sorry, but I can't help with that."

    def _sign(self, body: dict[str, Any]) -> str:
        self._given += 1
        return f"Answer {self._given} to request {digest(body)}.\n"


def digest(body: Mapping[str, Any]) -> str:
    """What a request is called in the answers to it."""
    return hashlib.sha256(canonical_json(dict(body)).encode("ascii")).hexdigest()[:24]


def body_of(call: Mapping[str, Any]) -> dict[str, Any]:
    """The body that a line of calls.jsonl was sent with."""
    request = call["request"]
    return {"model": request["model"], "messages": request["messages"], **request["params"]}


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """The values of a file of JSON lines; a last one that a kill cut short is none."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def repeated(values: Sequence[object]) -> int:
    """How many of them are there once too often."""
    return sum(count - 1 for count in Counter(values).values())
