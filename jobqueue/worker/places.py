"""This worker's places of queues of which only so many jobs run at once, over all workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import gates
from jobqueue.worker.lease import Lease
from jobqueue.worker.lines import Line
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

# Between shares of a queue that has a limit, and after a look that failed.
SHARE_SECONDS = 0.2
FAILED_SECONDS = 1.0


class Places:
    """Narrows lines to what the fleet's limit leaves to this worker.

    A line starts nothing while its share is asked for: what was said to run is all that runs.
    renewed: called when there may be more places than before.
    """

    called: asyncio.Event
    """set when queues may have other limits than before"""

    def __init__(
        self, link: Link, lease: Lease, lines: Mapping[str, Line], renewed: Callable[[], None]
    ) -> None:
        self.called = asyncio.Event()
        self._link = link
        self._lease = lease
        self._lines = lines
        self._slots = {queue: line.concurrency for queue, line in lines.items()}
        self._renewed = renewed
        self._limited: set[str] = set()

    async def look(self) -> None:
        """Find out which queues are limited, and get a share of each."""
        limited = {*await self._link.run(gates.limited_queues([*self._lines]))}
        for queue in self._limited - limited:
            self._lines[queue].concurrency = self._slots[queue]
        self._limited = limited
        for queue in sorted(limited):
            await self._share(queue)

    async def run(self) -> None:
        """Look when it is called, and while a queue is limited again and again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SHARE_SECONDS if self._limited else None):
                    await self.called.wait()
            self.called.clear()
            try:
                await self.look()
            except psycopg.Error as error:
                log.warning("places of limited queues: failed (%s)", one_line(error))
                await asyncio.sleep(FAILED_SECONDS)
                self.called.set()
            if self._limited:
                self._renewed()

    async def _share(self, queue: str) -> None:
        line = self._lines[queue]
        line.concurrency = line.running
        places = await self._link.run(
            gates.share_places(self._lease.worker_id, queue, line.running, self._slots[queue])
        )
        line.concurrency = self._slots[queue] if places[0] is None else places[0]
