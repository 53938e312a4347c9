"""The peer's end of the exchange: one JSON object a line, a command in, an answer out. Standard library only."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Clock:
    """Starts when it is made. Processor seconds tell of one thread what wall seconds would on a machine of its own."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Seconds since: wall and of this process's processor time."""
        return {"wall": time.perf_counter() - self._wall, "cpu": time.process_time() - self._processor}


class Conversation:
    """Commands from standard input, answers to standard output; whatever a library prints goes to standard error."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def say(self, answer: Mapping[str, Any]) -> None:
        """One answer."""
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()

    def serve(
        self, commands: Mapping[str, Callable[..., Mapping[str, Any]]], until: str | None = None
    ) -> None:
        """Answer commands until `until` is asked for, which is the caller's to answer; exit when there are no more."""
        for line in sys.stdin:
            command = json.loads(line)
            name = command.pop("do")
            if name == until:
                return
            self.say(commands[name](**command))
        raise SystemExit


def run(main: Callable[[Conversation, dict[str, Any]], None]) -> NoReturn:
    """Call `main` with the settings in the file that is the only argument; an error is an answer too."""
    conversation = Conversation()
    settings = json.loads(Path(sys.argv.pop()).read_text(encoding="utf-8"))
    try:
        main(conversation, settings)
    except Exception as error:
        traceback.print_exc()
        conversation.say({"error": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from error
    raise SystemExit
