"""What a person sees while a job is under way: stages with their time, bars where there is a terminal."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_QUIET_SECONDS = 30.0
"""Between two lines of progress where there is no terminal to draw a bar on."""


def plain_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console on which names of arms, files and data stand as they are: rich would take `[k=3]` in one for markup, and leave it out."""
    return Console(stderr=stderr, quiet=quiet, markup=False, emoji=False)


class Stages:
    """Seconds of every stage, told as they pass."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int, int, str], None]]:
        """Time a stage. The value is a callback (done, planned, note) that moves its bar."""
        began = told = time.perf_counter()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        terminal = self.console.is_terminal
        if not terminal:
            self._tell(f"{name} ...")
        with Progress(*columns, console=self.console, transient=True, disable=not terminal) as bars:
            task = bars.add_task(name, total=None, note="")

            def advance(done: int, planned: int, note: str) -> None:
                nonlocal told
                if terminal:
                    bars.update(task, completed=done, total=planned, note=note)
                elif time.perf_counter() - told > _QUIET_SECONDS:
                    told = time.perf_counter()
                    self._tell(f"  {done} of {planned}{', ' + note if note else ''}")

            yield advance
        seconds = time.perf_counter() - began
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self._tell(f"{name}: {seconds:.1f} s")

    def _tell(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, emoji=False)


def peak_mib() -> float:
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
