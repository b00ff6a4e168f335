"""What is paused: known before the first claim, and from then on within a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import pauses, workers
from jobqueue.store.claims import Claimed, Held
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

# While nothing can be heard of the pauses they are read so often.
UNHEARD_SECONDS = 0.5
NOTHING: frozenset[str] = frozenset()
NO_KEYS: frozenset[tuple[str, str]] = frozenset()


class Paused:
    """The queues, tasks and keys of which nothing begins here, as far as this worker knows.

    jobs: those in hand, by their ids, that are known to be of a paused key.
    """

    def __init__(self) -> None:
        self.queues = NOTHING
        self.tasks = NOTHING
        self.keys = NO_KEYS
        self.jobs = NOTHING
        self.any = False

    def holds(self, job: Claimed) -> bool:
        """Whether this job is not to begin."""
        return job.queue in self.queues or job.task in self.tasks or job.id in self.jobs

    async def look_at_keys(self, link: Link, jobs: Collection[str]) -> None:
        """Ask which of these jobs, by their ids, are of paused keys. Raises psycopg.Error."""
        found = await link.run(pauses.of_paused_keys(jobs)) if self.keys and jobs else ()
        self.jobs = frozenset(found)

    def become(
        self,
        queues: frozenset[str],
        tasks: frozenset[str],
        keys: frozenset[tuple[str, str]] = NO_KEYS,
    ) -> bool:
        """Take in what is paused now; give whether that is something else than before."""
        if (queues, tasks, keys) == (self.queues, self.tasks, self.keys):
            return False
        for limit, key in sorted(keys - self.keys):
            log.warning("key %r of limit %r: is paused; none of its jobs begin here", key, limit)
        for limit, key in sorted(self.keys - keys):
            log.info("key %r of limit %r: goes on", key, limit)
        for kind, before, now in (("queue", self.queues, queues), ("task", self.tasks, tasks)):
            for name in sorted(now - before):
                log.warning("%s %r: is paused; none of its jobs begin here", kind, name)
            for name in sorted(before - now):
                log.info("%s %r: goes on", kind, name)
        self.queues, self.tasks, self.keys = queues, tasks, keys
        self.any = bool(queues or tasks or keys)
        return True


class PauseReader:
    """Reads the books when a notification came, as often as a heartbeat is sent, or half by second.

    A notification is a hint, the books are the truth: where nobody listens they are read often.

    in_hand: gives the jobs that are here.
    changed: called when something else is paused than before. read: called whenever the books were
        read, for what else is told in the same way.
    """

    def __init__(
        self,
        link: Link,
        lease: Lease,
        paused: Paused,
        in_hand: Callable[[], Collection[Held]],
        changed: Callable[[], None],
        *,
        read: Callable[[], None],
        seconds: float,
    ) -> None:
        self.told = asyncio.Event()
        """set by the listener: something may have changed"""
        self._hears = False
        self._news = False
        self._link = link
        self._lease = lease
        self._paused = paused
        self._in_hand = in_hand
        self._changed = changed
        self._read = read
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
                await asyncio.sleep(UNHEARD_SECONDS)
                self.told.set()

    async def read(self) -> None:
        """Read what is paused. Raises psycopg.Error."""
        found = await self._link.run(pauses.list_pauses())
        self._read()
        queues = frozenset(one.name for one in found if one.kind == "queue")
        tasks = frozenset(one.name for one in found if one.kind == "task")
        keys = frozenset((one.name, one.key) for one in found if one.kind == "key")
        self._news |= self._paused.become(queues, tasks, keys)
        if self._news:
            await self._paused.look_at_keys(self._link, [job_id for job_id, _ in self._in_hand()])
            self._changed()
            self._news = False
            # Nobody is to notify it of jobs in a queue that it leaves alone.
            await self._link.run(workers.sleep(self._lease.worker_id, []))
