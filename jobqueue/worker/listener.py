"""LISTEN: hears of jobs in queues in which the worker sleeps, of cancelled jobs, of pauses."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import pauses as pause_statements
from jobqueue.store import workers
from jobqueue.store.maintenance import RESIGNED
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link, Pauses
from jobqueue.worker.paused import PauseReader

log = logging.getLogger("jobqueue.worker")

PROBE_SECONDS = 15.0
# For what has come in to be read; it is waited for without psycopg, which looks ten times a second.
READ_SECONDS = 0.005
CANCELS = "jobqueue_cancel"
PAUSES = "jobqueue_pauses"


class Listener:
    """Turns notifications into wake-ups. While it cannot listen, polling carries on.

    wake: set when a job was enqueued for one of `queues`.
    asked: set when one that this worker runs is to be cancelled.
    reader: told when something was paused or resumed, and whether that is heard at all.
    resigned: set when the leader has resigned.
    """

    def __init__(
        self,
        link: Link,
        lease: Lease,
        queues: frozenset[str],
        *,
        wake: asyncio.Event,
        asked: asyncio.Event,
        reader: PauseReader,
        resigned: asyncio.Event,
    ) -> None:
        self._link = link
        self._lease = lease
        self._queues = queues
        self._wake = wake
        self._asked = asked
        self._reader = reader
        self._resigned = resigned

    async def run(self) -> None:
        """Listen for as long as the worker lives, over a new connection when one breaks."""
        pauses = Pauses()
        while True:
            try:
                await self._link.run(workers.listen())
                await self._link.run(workers.listen_cancel())
                await self._link.run(pause_statements.listen())
                connection = await self._link.connection()
                pauses.reset()
                # Something may have come while nobody listened.
                self._wake.set()
                self._asked.set()
                self._reader.listened(hears=True)
                while True:
                    # Silence may mean that nothing happens, or that nobody is there any more.
                    if not await _readable(connection, PROBE_SECONDS):
                        await self._link.run(workers.probe())
                    async for notification in connection.notifies(timeout=READ_SECONDS):
                        self._hear(notification)
            except psycopg.Error as error:
                self._reader.listened(hears=False)
                await self._link.close()
                reason = one_line(error)
                log.warning("listen: lost (%s); polling until it is back", reason)
            await asyncio.sleep(pauses.next_seconds())

    def _hear(self, notification: psycopg.Notify) -> None:
        if notification.channel == PAUSES:
            self._reader.told.set()
        elif notification.channel == CANCELS:
            if notification.payload == str(self._lease.worker_id):
                self._asked.set()
        elif notification.payload == RESIGNED:
            self._resigned.set()
        elif notification.payload in self._queues:
            self._wake.set()


async def _readable(connection: psycopg.AsyncConnection[Any], seconds: float) -> bool:
    """Wait until something comes in; False if nothing did in time."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    descriptor = connection.fileno()
    loop.add_reader(descriptor, came.set)
    try:
        async with asyncio.timeout(seconds):
            await came.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True
