"""The worker's entry in the books, and the heartbeat that keeps its lease."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Collection
from contextlib import suppress

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.core.settings import WorkerSettings
from jobqueue.store import jobs, workers
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

# The books are for others to read; a database that is gone does not hold up the drain.
DRAIN_SECONDS = 2.0


class Lease:
    """The right to what this worker claimed, for as long as its heartbeat is seen.

    lost: called when the lease had expired and the worker was entered anew, under another id.
    """

    def __init__(self, link: Link, settings: WorkerSettings, lost: Callable[[], None]) -> None:
        self._link = link
        self._settings = settings
        self._lost = lost
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.worker_id = 0
        self.draining = False

    async def enter(self) -> None:
        """Enter the worker in the books."""
        [self.worker_id] = await self._link.run(
            workers.register(
                name=self.name,
                hostname=socket.gethostname(),
                pid=os.getpid(),
                queues=self._settings.queues,
                lease_seconds=self._settings.lease_seconds,
            )
        )

    async def run(self) -> None:
        """Send heartbeats for as long as the worker lives."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            try:
                await self.beat()
            except psycopg.Error as error:
                # The next one is due well before the lease ends.
                log.warning("heartbeat: failed (%s)", one_line(error))

    async def beat(self) -> None:
        """Renew the lease, or enter the books anew if it was lost."""
        alive = await self._link.run(
            workers.heartbeat(
                self.worker_id,
                lease_seconds=self._settings.lease_seconds,
                draining=self.draining,
            )
        )
        if not alive:
            log.warning(
                "worker %s: its lease expired and its jobs were given to others; "
                "carrying on under a new one",
                self.name,
            )
            await self.enter()
            self._lost()

    async def drain(self) -> None:
        """Say in the books that the worker takes no more jobs."""
        self.draining = True
        with suppress(psycopg.Error, TimeoutError):
            await asyncio.wait_for(self.beat(), DRAIN_SECONDS)

    async def leave(self, unrecorded: Collection[int]) -> None:
        """Strike the worker off, and hand back what the books say it runs and it never began.

        unrecorded: leases whose outcomes could not be recorded. If there are any the worker stays
            in the books until its lease expires, and those attempts count.
        """
        handed_back = await self._link.run(jobs.hand_back(self.worker_id, unrecorded))
        if handed_back:
            await self._link.run(workers.wake(sorted(set(handed_back))))
        if not unrecorded:
            await self._link.run(workers.leave(self.worker_id))
