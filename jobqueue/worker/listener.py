"""LISTEN: wakes the claimer when a job was enqueued for a queue it sleeps in."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import workers
from jobqueue.worker.link import Link, Pauses

log = logging.getLogger("jobqueue.worker")

PROBE_SECONDS = 15.0
# For what has come in to be read; it is waited for without psycopg, which looks ten times a second.
READ_SECONDS = 0.005


class Listener:
    """Turns notifications into wake-ups. While it cannot listen, polling carries on."""

    def __init__(self, link: Link, queues: frozenset[str], wake: asyncio.Event) -> None:
        self._link = link
        self._queues = queues
        self._wake = wake

    async def run(self) -> None:
        """Listen for as long as the worker lives, over a new connection when one breaks."""
        pauses = Pauses()
        while True:
            try:
                await self._link.run(workers.listen())
                connection = await self._link.connection()
                pauses.reset()
                # Something may have come while nobody listened.
                self._wake.set()
                while True:
                    # Silence may mean that nothing happens, or that nobody is there any more.
                    if not await _readable(connection, PROBE_SECONDS):
                        await self._link.run(workers.probe())
                    async for notification in connection.notifies(timeout=READ_SECONDS):
                        if notification.payload in self._queues:
                            self._wake.set()
            except psycopg.Error as error:
                await self._link.close()
                reason = one_line(error)
                log.warning("listen: lost (%s); polling until it is back", reason)
            await asyncio.sleep(pauses.next_seconds())


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
