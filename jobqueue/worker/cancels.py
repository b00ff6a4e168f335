"""Hearing that jobs which run here are to be cancelled."""

from __future__ import annotations

import asyncio
import logging

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import workers
from jobqueue.worker.background import is_set
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link
from jobqueue.worker.runner import Runner

log = logging.getLogger("jobqueue.worker")

# Somebody asked for a job that has not arrived here, or of which the end is on its way.
UNKNOWN_SECONDS = 0.5


class Cancels:
    """Asks the books as often as a heartbeat is sent, and at once when a notification came.

    asked: set by the listener. A notification is a hint, the books are the truth.
    """

    def __init__(self, link: Link, lease: Lease, runner: Runner, *, seconds: float) -> None:
        self.asked = asyncio.Event()
        self._link = link
        self._lease = lease
        self._runner = runner
        self._seconds = seconds

    async def run(self) -> None:
        """Ask for as long as the worker lives."""
        pause = self._seconds
        while True:
            await is_set(self.asked, seconds=pause)
            self.asked.clear()
            pause = self._seconds
            if not self._runner.in_hand():
                continue
            try:
                asked = await self._link.run(workers.cancel_requests(self._lease.worker_id))
            except psycopg.Error as error:
                log.warning("cancel: the books cannot be asked (%s)", one_line(error))
                continue
            if asked and self._runner.cancel(set(asked)) < len(asked):
                pause = min(pause, UNKNOWN_SECONDS)
