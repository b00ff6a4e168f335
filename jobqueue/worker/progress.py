"""Progress: what jobs say of themselves gathers, and is written for all of them at once."""

from __future__ import annotations

import asyncio
import logging
import threading

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import jobs as statements
from jobqueue.store.claims import Claimed
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

PAUSE_SECONDS = 1.0
# One statement takes so many.
MOST_AT_ONCE = 1_000

Said = tuple[Claimed, float, str]


class Progress:
    """Writes the newest word of each job, once a second at most.

    A word that comes after its job has ended changes nothing: it is fenced by the lease.

    link: the one that acks go over, so that the two never wait for each other's locks.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._said: dict[str, Said] = {}
        self._saying = threading.Lock()
        self._any = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def report(self, job: Claimed, fraction: float, message: str) -> None:
        """Take in how far a job is. May be called in any thread."""
        with self._saying:
            first = not self._said
            self._said[job.id] = (job, fraction, message)
        if first and self._loop is not None:
            self._loop.call_soon_threadsafe(self._any.set)

    async def run(self) -> None:
        """Write what gathers, for as long as the worker lives."""
        self._loop = asyncio.get_running_loop()
        while True:
            await self._any.wait()
            self._any.clear()
            with self._saying:
                said, self._said = list(self._said.values()), {}
            for start in range(0, len(said), MOST_AT_ONCE):
                await self._write(said[start : start + MOST_AT_ONCE])
            await asyncio.sleep(PAUSE_SECONDS)

    async def _write(self, said: list[Said]) -> None:
        jobs, fractions, messages = zip(*said, strict=True)
        try:
            await self._link.run(
                statements.progress(
                    [job.id for job in jobs], [job.lease for job in jobs], fractions, messages
                )
            )
        except psycopg.Error as error:
            # The next word of each is as good.
            log.warning("progress: not written (%s)", one_line(error))
