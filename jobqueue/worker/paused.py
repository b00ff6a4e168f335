"""What is paused: known before the first claim, and from then on within a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import pauses, workers
from jobqueue.store.claims import Claimed
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

# While nothing can be heard of the pauses they are read so often.
UNHEARD_SECONDS = 0.5
NOTHING: frozenset[str] = frozenset()


class Paused:
    """The queues and tasks of which nothing begins here, as far as this worker knows."""

    def __init__(self) -> None:
        self.queues = NOTHING
        self.tasks = NOTHING
        self.any = False

    def holds(self, job: Claimed) -> bool:
        """Whether this job is not to begin."""
        return job.queue in self.queues or job.task in self.tasks

    def become(self, queues: frozenset[str], tasks: frozenset[str]) -> bool:
        """Take in what is paused now; give whether that is something else than before."""
        if (queues, tasks) == (self.queues, self.tasks):
            return False
        for kind, before, now in (("queue", self.queues, queues), ("task", self.tasks, tasks)):
            for name in sorted(now - before):
                log.warning("%s %r: is paused; none of its jobs begin here", kind, name)
            for name in sorted(before - now):
                log.info("%s %r: goes on", kind, name)
        self.queues, self.tasks = queues, tasks
        self.any = bool(queues or tasks)
        return True


class PauseReader:
    """Reads the books when a notification came, as often as a heartbeat is sent, or half by second.

    A notification is a hint, the books are the truth: where nobody listens they are read often.

    changed: called when something else is paused than before.
    """

    def __init__(
        self,
        link: Link,
        lease: Lease,
        paused: Paused,
        changed: Callable[[], None],
        *,
        seconds: float,
    ) -> None:
        self.told = asyncio.Event()
        """set by the listener: something may have changed"""
        self._hears = False
        self._link = link
        self._lease = lease
        self._paused = paused
        self._changed = changed
        self._seconds = seconds

    def listened(self, *, hears: bool) -> None:
        """Learn whether notifications come through from now on, as far as is known."""
        self._hears = hears
        self.told.set()

    async def run(self) -> None:
        """Read for as long as the worker lives."""
        while True:
            pause = self._seconds if self._hears else UNHEARD_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self.told.wait(), pause)
            self.told.clear()
            try:
                await self.read()
            except psycopg.Error as error:
                log.warning("pauses: the books cannot be asked (%s)", one_line(error))

    async def read(self) -> None:
        """Read what is paused. Raises psycopg.Error."""
        found = await self._link.run(pauses.list_pauses())
        queues = frozenset(one.name for one in found if one.kind == "queue")
        tasks = frozenset(one.name for one in found if one.kind == "task")
        if self._paused.become(queues, tasks):
            self._changed()
            # Nobody is to notify it of jobs in a queue that it leaves alone.
            await self._link.run(workers.sleep(self._lease.worker_id, []))
