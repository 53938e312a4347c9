"""How far a download is, on a terminal; elsewhere nothing but a line at the end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import TaskID


class FileBars:
    """One bar a file, and the line that stands at its end."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._first: dict[str, tuple[int, float]] = {}

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """As fetching.Progress."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
            self._first[name] = (done, time.monotonic())
        self._bars.update(self._tasks[name], completed=done, total=total)
        if done == total and self._bars.disable:
            before, started = self._first.pop(name)
            rate = (done - before) / max(time.monotonic() - started, 1e-3) / 1e6
            self._bars.console.print(
                f"{name}: {done:,} bytes, {rate:.1f} MB/s", highlight=False, soft_wrap=True
            )


class ImageBar:
    """One bar for all pictures."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("pictures", total=None)

    def __call__(self, done: int, total: int) -> None:
        """As images.Told."""
        self._bars.update(self._task, completed=done, total=total)


@contextmanager
def file_bars(console: Console) -> Iterator[FileBars]:
    """Bars of bytes, rate and remaining time while the block runs."""
    with _bars(console, DownloadColumn(), TransferSpeedColumn()) as bars:
        yield FileBars(bars)


@contextmanager
def image_bar(console: Console) -> Iterator[ImageBar]:
    """A bar of pictures and remaining time while the block runs."""
    with _bars(console, MofNCompleteColumn()) as bars:
        yield ImageBar(bars)


def _bars(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
