"""A thread that notices when the event loop does not answer, and keeps the lease meanwhile."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from types import FrameType
from typing import Any

import psycopg

from jobqueue.client.context import Attempt, current_attempt
from jobqueue.core.errors import one_line
from jobqueue.store.database import executor, to_conninfo, worker_conninfo
from jobqueue.store.statement import run
from jobqueue.worker.clock import clock
from jobqueue.worker.containment import forked, hold_standard_descriptors
from jobqueue.worker.lease import Lease

log = logging.getLogger("jobqueue.worker")

# Between two questions to the loop while jobs run.
PAUSE_SECONDS = 0.25
# Between two looks at a lease that is to be kept.
KEEPING_SECONDS = 0.2
# Of the stack, the innermost calls are what tells.
MOST_FRAMES = 25


class Watchdog:
    """Asks the loop, from a thread, whether it is there. With nothing to run it asks nothing.

    A job that blocks the loop for longer than `blocked_seconds` is named in the log, with its
    stack, once for each time. The worker's lease is then renewed from here, for at most
    `longest_seconds`: what blocks the loop costs no other job its lease, but a loop that never
    comes back does not keep its jobs for ever. A process that is frozen has no thread that renews.
    """

    def __init__(
        self,
        url: str | None,
        lease: Lease,
        *,
        pooled: bool,
        blocked_seconds: float,
        longest_seconds: float,
    ) -> None:
        self._conninfo = worker_conninfo(to_conninfo(url, application_name="jobqueue watchdog"))
        self._pooled = pooled
        self._lease = lease
        self._blocked_seconds = blocked_seconds
        self._longest_seconds = longest_seconds
        self._begun = threading.Event()
        self._answered = threading.Event()
        self._closed = False
        self._connection: psycopg.Connection[Any] | None = None
        self.asleep = True
        """whether it is to be woken before a job begins"""
        self.checks: list[Callable[[], None]] = [hold_standard_descriptors]
        """what is looked at on the event loop at each question"""

    def start(self, busy: Callable[[], bool]) -> None:
        """Watch the running event loop, from the thread that runs it. busy: whether jobs run."""
        self._busy = busy
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        forked.watch_loop(self._loop)
        threading.Thread(target=self._watch, name="jobqueue watchdog", daemon=True).start()

    def wake(self) -> None:
        """Look after the loop again, now that a job begins."""
        self.asleep = False
        self._begun.set()

    def close(self) -> None:
        """Let the thread end."""
        self._closed = True
        self.wake()

    def _watch(self) -> None:
        while not self._closed:
            self._begun.wait()
            self._begun.clear()
            while not self._closed:
                self.asleep = True  # until the next job begins
                if not self._ask():
                    return
                if self.asleep and not self._busy():
                    break
                sleep(PAUSE_SECONDS)

    def _ask(self) -> bool:
        """Ask the loop whether it is there, and wait for its answer; False if it is closed."""
        self._answered.clear()
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            return False
        if not self._answered.wait(self._blocked_seconds):
            self._blocked()
        return True

    def _answer(self) -> None:
        try:
            for check in self.checks:
                check()
        finally:
            self._answered.set()  # or the loop would pass for blocked, for ever

    def _blocked(self) -> None:
        began = monotonic() - self._blocked_seconds
        whose = self._tell()
        ends = began + self._longest_seconds
        while not self._answered.wait(KEEPING_SECONDS) and not self._closed:
            if monotonic() < ends:
                self._keep_lease()
            elif ends:
                ends = 0.0
                log.critical(
                    "event loop: blocked for %g s by %s; its lease is kept no longer, and the "
                    "worker's jobs are left to others",
                    *(monotonic() - began, whose),
                )
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
        log.warning("event loop: answers again after %.1f s (%s)", monotonic() - began, whose)

    def _tell(self) -> str:
        """Say what blocks the loop, and name the job."""
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - documented, for this
        attempt = _attempt(self._loop, frame)
        whose = (
            "code of no known job"
            if attempt is None
            else f"job {attempt.job.task} {attempt.job.id}"
        )
        stack = "".join(traceback.format_stack(frame)[-MOST_FRAMES:])
        log.warning(
            "event loop: blocked for more than %g s by %s, and with it every coroutine and the "
            "heartbeat; make it a plain function, which runs in a thread, or await what it waits "
            "for. It is here:\n%s",
            *(self._blocked_seconds, whose, stack),
        )
        return whose

    def _keep_lease(self) -> None:
        if not self._lease.due:
            return
        asked = clock()
        try:
            if self._connection is None or self._connection.closed:
                hold_standard_descriptors()
                self._connection = psycopg.connect(
                    self._conninfo,
                    autocommit=True,
                    prepare_threshold=None if self._pooled else 5,
                )
            alive = run(executor(self._connection), self._lease.renewal())
        except (psycopg.Error, OSError) as error:
            log.warning("event loop: blocked, and the lease not renewed (%s)", one_line(error))
            return
        if alive:
            self._lease.was_renewed(asked)


def _attempt(loop: asyncio.AbstractEventLoop, frame: FrameType | None) -> Attempt | None:
    """Find whose code the loop runs: by its asyncio task, or by what is on the stack."""
    with suppress(RuntimeError):
        running = asyncio.current_task(loop)
        if running is not None and sys.version_info >= (3, 12):
            return running.get_context().get(current_attempt)
    while frame is not None:
        attempt = frame.f_locals.get("attempt")
        if isinstance(attempt, Attempt):
            return attempt
        frame = frame.f_back
    return None
