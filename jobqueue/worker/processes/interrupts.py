"""Stopping a job from outside: an exception in the main thread, in that job and nowhere else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


class Interruption(BaseException):
    """Raised in a plain function whose job is to stop now; a coroutine is cancelled instead."""


class Interrupts:
    """Knows which job's code runs, and stops it when asked.

    Signals from elsewhere change nothing: a service manager may send SIGTERM to every process of
    the worker, which alone decides. They are not ignored either, for what a job starts would
    inherit that.
    """

    def __init__(self) -> None:
        self._running = 0
        self._asked = 0
        self._cancel: Callable[[], object] | None = None
        self._main = threading.get_ident()

    def install(self) -> None:
        """Take over the signals that would end the child."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def begin(self, number: int, cancel: Callable[[], object] | None = None) -> None:
        """Say that the code of this job runs from here on.

        cancel: stops it, if it is a coroutine; may be called in any thread.
        Raises Interruption if it was asked for already.
        """
        self._cancel = cancel
        self._running = number
        if self._asked == number:
            self._stop(number)

    def end(self) -> None:
        """Say that no job's code runs any more."""
        self._running = 0
        self._cancel = None

    def was_asked(self, number: int) -> bool:
        """Whether this job was asked to stop."""
        return self._asked == number

    def ask(self, number: int) -> None:
        """Stop this job if it runs, or else when it begins. Called in the thread that listens."""
        self._asked = number
        # A signal, for the main thread may wait in the operating system. If another job runs by
        # now, the handler lets it.
        signal.pthread_kill(self._main, signal.SIGTERM)

    def ask_whatever_runs(self) -> None:
        """Stop the job that runs, if one does."""
        self.ask(self._running)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._running and self._running == self._asked:
            self._stop(self._running)

    def _stop(self, number: int) -> None:
        """Raise once: what the job makes of it is its own affair."""
        cancel = self._cancel
        self.end()
        if cancel is not None:
            cancel()
        else:
            raise Interruption(f"told to stop, job {number} of its process")
