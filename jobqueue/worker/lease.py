"""The worker's entry in the books, and the heartbeat that keeps its lease."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.core.settings import WorkerSettings
from jobqueue.store import jobs, maintenance, workers
from jobqueue.store.claims import Held
from jobqueue.store.statement import Statement
from jobqueue.worker.background import is_set
from jobqueue.worker.clock import clock
from jobqueue.worker.home import home, is_alive
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

# The books are for others to read; a database that is gone does not hold up the drain.
DRAIN_SECONDS = 2.0
# The start of a worker does not hang on what the leader can do as well.
INHERIT_SECONDS = 2.0
# Between tries while jobs wait to know whether the lease lasts.
FAILED_PAUSE_SECONDS = 0.5
# Between questions whether a claim that broke off is over.
CLAIMS_PAUSE_SECONDS = 0.05


class Lease:
    """The right to what this worker claimed, for as long as its heartbeat is seen.

    tasks: that the worker has, for the books.
    lost: called when the lease had expired and the worker was entered anew, under another id.
    renewed: called when the lease was in doubt and turned out to last.
    lost_slots: gives how many slots are lost to jobs that do not stop; heartbeats tell.
    """

    def __init__(
        self,
        link: Link,
        settings: WorkerSettings,
        tasks: Sequence[str],
        *,
        lost: Callable[[], None],
        renewed: Callable[[], None],
        lost_slots: Callable[[], int],
    ) -> None:
        self._link = link
        self._settings = settings
        self._tasks = tasks
        self._lost = lost
        self._renewed = renewed
        self._lost_slots = lost_slots
        self._ends = 0.0
        self._doubt = asyncio.Event()
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.worker_id = 0
        self.draining = False

    def holds(self) -> bool:
        """Whether the lease lasts by this machine's own clock; if not, a heartbeat is due at once.

        It can only be too careful: the lease is counted from before it was asked for. Source:
        Gray and Cheriton, "Leases", 1989.
        """
        if clock() < self._ends:
            return True
        self._doubt.set()
        return False

    def lasts(self) -> bool:
        """Whether it lasts, by this machine's own clock. May be asked in any thread."""
        return clock() < self._ends

    @property
    def ends(self) -> float:
        """When it ends, by `clock`, unless it is renewed."""
        return self._ends

    @property
    def seconds(self) -> float:
        """How long it lasts without a heartbeat."""
        return self._settings.lease_seconds

    @property
    def due(self) -> bool:
        """Whether a heartbeat is due, or more than due."""
        left = self._ends - clock()
        return left < self._settings.lease_seconds - self._settings.heartbeat_seconds

    def renewal(self) -> Statement[int]:
        """Give the statement that renews the lease; no row: it was lost."""
        return workers.heartbeat(
            self.worker_id,
            lease_seconds=self._settings.lease_seconds,
            draining=self.draining,
            lost_slots=self._lost_slots(),
            clock=time.time(),
        )

    def was_renewed(self, asked: float) -> None:
        """Learn that the lease was renewed. asked: when that was asked for, by `clock`."""
        self._ends = max(self._ends, asked + self._settings.lease_seconds)

    async def claims_are_over(self) -> None:
        """Wait until no claim of this worker is under way; heartbeats go on meanwhile."""
        told = False
        while True:
            [over] = await self._link.run(workers.claims_are_over(self.worker_id))
            if over:
                return
            if not told:
                log.warning("claim: one that broke off is still under way; waiting for its end")
                told = True
            await asyncio.sleep(CLAIMS_PAUSE_SECONDS)

    async def enter(self) -> None:
        """Enter the worker in the books."""
        asked = clock()
        [self.worker_id] = await self._link.run(
            workers.register(
                name=self.name,
                hostname=socket.gethostname(),
                pid=os.getpid(),
                queues=self._settings.queues,
                lease_seconds=self._settings.lease_seconds,
                home=home(),
                tasks=self._tasks,
            )
        )
        self._ends = asked + self._settings.lease_seconds

    async def inherit(self) -> None:
        """Take back at once what workers held that have died here, as under a supervisor.

        Their processes are gone, so there is no lease to be waited for.
        """
        others = await self._link.run(workers.at_home(home(), self.worker_id))
        # One of our own number may be a second worker of this process.
        dead = [worker for worker, pid in others if not is_alive(pid)]
        if not dead:
            return
        names = await self._link.run(workers.declare_dead(dead))
        log.warning("workers that died here, and hold their jobs no more: %s", ", ".join(names))
        await self._try(maintenance.end_transactions())
        await self._try(maintenance.rescue())

    async def _try(self, statement: Statement[Any]) -> None:
        """Do what the leader would do a second later; locks of others are not waited for."""
        try:
            await asyncio.wait_for(self._link.run(statement), INHERIT_SECONDS)
        except (psycopg.Error, TimeoutError) as error:
            reason = one_line(error) or "no answer in time"
            log.warning("their jobs are left to the leader (%s)", reason)

    async def run(self) -> None:
        """Send heartbeats for as long as the worker lives."""
        while True:
            await is_set(self._doubt, seconds=self._settings.heartbeat_seconds)
            try:
                await self.beat()
            except psycopg.Error as error:
                # The next one is due well before the lease ends.
                log.warning("heartbeat: failed (%s)", one_line(error))
                await asyncio.sleep(FAILED_PAUSE_SECONDS)

    async def beat(self) -> None:
        """Renew the lease, or enter the books anew if it was lost."""
        asked = clock()
        alive = await self._link.run(self.renewal())
        if alive:
            in_doubt = self._doubt.is_set() or clock() >= self._ends
            self._ends = asked + self._settings.lease_seconds
            self._doubt.clear()
            if in_doubt:
                self._renewed()
        else:
            self._doubt.clear()
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

    async def leave(self, unrecorded: Collection[Held]) -> None:
        """Strike the worker off, and hand back what the books say it runs and it never began.

        unrecorded: jobs whose outcomes could not be recorded. If there are any the worker stays
            in the books until its lease expires, and those attempts count.
        """
        # One that broke off may still commit, and its jobs would be nobody's.
        await self.claims_are_over()
        handed_back = await self._link.run(jobs.hand_back(self.worker_id, unrecorded))
        if handed_back:
            await self._link.run(workers.wake(sorted(set(handed_back))))
        if not unrecorded:
            await self._link.run(workers.leave(self.worker_id))
