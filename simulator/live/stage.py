"""One thread on which everything of a live view is played: models, gateways and journal know a single thread, pages many."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")
_LOOK_SECONDS = 0.2
"""Between two looks at a job that a page waits for."""


class StageClosedError(RuntimeError):
    """The live view is being stopped: nothing more is played."""


class Stage:
    """Plays jobs one after the other, in the order they come.

    Its thread is a daemon: a program that ends does not wait for an endpoint that may take minutes to answer.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="live stage", daemon=True)
        self._thread.start()

    def play(
        self, looked: Callable[[], None], job: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """What `job` gives or raises; `looked` is called now and then in the thread that waits."""
        if self._closed:
            raise StageClosedError("the live view is being stopped; start it again")
        done: Future[_T] = Future()

        def work() -> None:
            try:
                done.set_result(job(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - raised where the job is waited for
                done.set_exception(error)

        self._jobs.put(work)
        while not wait([done], timeout=_LOOK_SECONDS).done:
            looked()
        return done.result()

    def close(self, seconds: float) -> bool:
        """Take no more jobs; whether those under way ended within so many seconds."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
