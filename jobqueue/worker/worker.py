"""The worker: puts the parts together, and takes them apart again in good order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

from jobqueue.client.queue import JobQueue
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.settings import WorkerSettings
from jobqueue.store import jobs as job_statements
from jobqueue.store import workers
from jobqueue.worker.acker import Acker
from jobqueue.worker.claimer import Claimer
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link, first_contact
from jobqueue.worker.listener import Listener
from jobqueue.worker.maintenance import Leader, Rescue, forget, promote, prune, settle
from jobqueue.worker.pools import TransactionPools
from jobqueue.worker.runner import Runner

log = logging.getLogger("jobqueue.worker")

# How long the last words to the database may take: it may be what made us stop.
FAREWELL_SECONDS = 5.0


# The leader's session is never idle for so long while the leader lives. One that is stopped in its
# tracks loses the session, and with it the lock.
LEADER_IDLE_TIMEOUT = "3s"


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a worker ended.

    interrupted: jobs it stopped and handed back.
    threads_left, coroutines_left: those that run on regardless.
    """

    interrupted: int
    threads_left: int
    coroutines_left: int

    @property
    def anything_left(self) -> bool:
        """Whether the process would wait for something at its end."""
        return self.threads_left + self.coroutines_left > 0


class Worker:
    """Runs the jobs of an application's tasks, until it is told to stop.

    It is a process of its own (`jobqueue worker`). Inside a test or a small application it can be
    run as a task of an event loop; then it lives and dies with that process.
    """

    def __init__(
        self, jobs: JobQueue, settings: WorkerSettings, *, database_url: str | None = None
    ) -> None:
        if not jobs.tasks:
            raise ConfigurationError(
                "application: registers no task; import the modules with its tasks where the "
                "JobQueue is made, or with --import"
            )
        self._jobs = jobs
        self._settings = settings
        url = database_url or jobs.database_url
        self._claims = Link(url, "worker")
        self._acks = Link(url, "worker acks")
        self._listens = Link(url, "worker listens")
        self._leads = Link(url, "leader", idle_timeout=LEADER_IDLE_TIMEOUT)
        wake = asyncio.Event()
        self._acker = Acker(self._acks)
        self._pools = TransactionPools(url, settings.transaction_connections)
        self._runner = Runner(jobs.tasks, settings.queues, self._acker, self._pools, wake)
        self._lease = Lease(self._claims, settings, self._lost_lease)
        self._claimer = Claimer(
            self._claims,
            self._runner,
            self._acker,
            self._lease,
            tasks=list(jobs.tasks),
            poll_seconds=settings.poll_seconds,
            wake=wake,
        )
        self._listener = Listener(self._listens, frozenset(settings.queues), wake)
        duties = {
            "promote": promote,
            "rescue": Rescue(),
            "settle": settle,
            "prune": prune(settings.history_days),
            "forget": forget(settings.processed_days),
        }
        self._leader = Leader(self._claims, self._leads, duties)
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._warned: set[str] = set()

    def stop(self) -> None:
        """Stop in good order: claim nothing, finish what runs. A second call skips the wait."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self) -> Farewell:
        """Work until `stop`, and say how it ended.

        Raises DatabaseUnavailable if there is no first connection within `connect_seconds`, and
        SchemaError if the database's schema is not one this release works with.
        """
        if not await self._arrive_unless_stopped():
            return Farewell(0, 0, 0)
        background = [self._acker.run(), self._lease.run(), self._listener.run(), self._warn()]
        if self._settings.maintenance:
            background.append(self._leader.run())
        try:
            async with _Background(background):
                return await self._work()
        finally:
            await self._depart()

    async def _work(self) -> Farewell:
        """Claim and run until told to stop, then drain."""
        claiming = asyncio.create_task(self._claimer.run())
        try:
            await self._stop.wait()
        except asyncio.CancelledError:
            # Cancelled from outside: as if told twice to stop.
            self._hurry.set()
            await self._drain(claiming)
            raise
        return await self._drain(claiming)

    def _lost_lease(self) -> None:
        """Give up what the lost lease held; what was claimed since is handed back with it."""
        self._runner.hand_back_unstarted()
        self._claimer.entered_anew()

    async def _arrive_unless_stopped(self) -> bool:
        """Arrive; False if told to stop while still waiting for the database."""
        arriving = asyncio.create_task(self._arrive())
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([arriving, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not arriving.done():
            arriving.cancel()
            await asyncio.wait([arriving])
            await self._claims.close()
            return False
        try:
            await arriving
        except BaseException:
            await self._claims.close()
            raise
        return True

    async def _arrive(self) -> None:
        await first_contact(self._claims, self._settings.connect_seconds)
        await self._claims.check_schema()
        tasks = [
            {
                "name": task.name,
                "queue": task.options.queue,
                "priority": task.options.priority,
                "max_attempts": task.options.max_attempts,
                "secrets": task.signature.secrets,
            }
            for task in self._jobs.tasks.values()
        ]
        await self._claims.run(workers.register_tasks(orjson.dumps(tasks).decode()))
        await self._lease.enter()
        served = ", ".join(f"{queue}={slots}" for queue, slots in self._settings.queues.items())
        log.info("worker %s: serves %s; tasks: %d", self._lease.name, served, len(tasks))

    async def _drain(self, claiming: asyncio.Task[None]) -> Farewell:
        """Finish what runs within the grace time, hand back the rest."""
        self._claimer.stop()
        log.info(
            "worker %s: stopping; jobs running: %d, with %g s to finish (signal again to skip)",
            self._lease.name, self._runner.running, self._settings.grace_seconds,
        )  # fmt: skip
        await self._lease.drain()
        # A claim under way is waited for: its jobs are ours, and are handed back just below.
        await asyncio.wait([claiming], timeout=FAREWELL_SECONDS)
        claiming.cancel()
        self._runner.hand_back_unstarted()
        await _first_of(
            self._runner.finished(), self._hurry.wait(), seconds=self._settings.grace_seconds
        )
        interrupted = await self._runner.interrupt()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._acker.settle(), FAREWELL_SECONDS)
        return Farewell(interrupted, self._runner.threads.busy, self._runner.running)

    async def _depart(self) -> None:
        """Leave the books and close the connections. A database that is gone is not waited for."""
        with suppress(TimeoutError, psycopg.Error):
            await asyncio.wait_for(self._lease.leave(), FAREWELL_SECONDS)
        self._runner.threads.close()
        await self._pools.close()
        for link in (self._claims, self._acks, self._listens, self._leads):
            with suppress(psycopg.Error):
                await link.close()
        log.info("worker %s: stopped", self._lease.name)

    async def _warn(self) -> None:
        """Say once for each task that has jobs waiting here and is not known to this worker."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            with suppress(psycopg.Error):
                unknown = await self._claims.run(
                    job_statements.unknown_tasks(
                        list(self._settings.queues), list(self._jobs.tasks)
                    )
                )
                for task in sorted(set(unknown) - self._warned):
                    self._warned.add(task)
                    log.warning(
                        "task %r: not registered on this worker; its jobs are left for workers "
                        "that have it (if none should, import its module with --import)",
                        task,
                    )


async def _first_of(*waits: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Wait for the first of `waits`, at most so long."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


class _Background:
    """Runs coroutines beside the body, and cancels them after it.

    One that fails takes the worker down with its error: a worker without its heartbeat or its
    acks must not look alive.
    """

    def __init__(self, work: Sequence[Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: BaseException | None = None

    async def __aenter__(self) -> None:
        body = asyncio.current_task()
        assert body is not None  # noqa: S101 - a coroutine always runs in a task

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._failed = self._failed or error
                body.cancel()

        for work in self._work:
            task = asyncio.create_task(work)
            task.add_done_callback(ended)
            self._tasks.append(task)

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failed is not None:
            raise self._failed
