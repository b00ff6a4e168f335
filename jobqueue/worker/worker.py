"""The worker: puts the parts together, and takes them apart again in good order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic, perf_counter

import psycopg

from jobqueue.client.context import Attempt
from jobqueue.client.queue import JobQueue
from jobqueue.core.errors import ConfigurationError, one_line
from jobqueue.core.settings import WorkerSettings
from jobqueue.observe.attempts import Noted
from jobqueue.observe.metrics.tallies import Tallies
from jobqueue.store.claims import Held
from jobqueue.worker.acker import Acker
from jobqueue.worker.around_attempt import tell_of_hooks
from jobqueue.worker.background import Background, end, first_of
from jobqueue.worker.cancels import Cancels
from jobqueue.worker.claimer import Claimer
from jobqueue.worker.code_limits import place_limits
from jobqueue.worker.code_schedules import identity, place_schedules
from jobqueue.worker.containment import Signals
from jobqueue.worker.counts import Counts
from jobqueue.worker.database_clock import DatabaseClock
from jobqueue.worker.entering import enter_tasks, likely_priorities
from jobqueue.worker.gatekeeper import Gatekeeper
from jobqueue.worker.lease import Lease
from jobqueue.worker.lifespans import Lifespans
from jobqueue.worker.link import Link, Pauses, first_contact
from jobqueue.worker.listener import Listener
from jobqueue.worker.looks import Looks
from jobqueue.worker.maintenance import LEADER_IDLE_TIMEOUT, Leader, duties
from jobqueue.worker.new_queues import tell_of_new_queues
from jobqueue.worker.paced import on_time_until
from jobqueue.worker.paused import Paused, PauseReader
from jobqueue.worker.places import Places
from jobqueue.worker.pools.assembly import Assembly
from jobqueue.worker.progress import Progress
from jobqueue.worker.runner import Runner
from jobqueue.worker.sharing import refuse_shared_sessions
from jobqueue.worker.standing import Outlook
from jobqueue.worker.transaction_pools import TransactionPools
from jobqueue.worker.unheard import Unheard
from jobqueue.worker.unknown_tasks import warn_of_unknown_tasks
from jobqueue.worker.watchdog import Watchdog

log = logging.getLogger("jobqueue.worker")

# How long the last words to the database may take: it may be what made us stop.
FAREWELL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a worker ended.

    interrupted: jobs it stopped and handed back, and those whose outcomes it could not record.
    threads_left, coroutines_left: those that run on regardless.
    replace: it stopped by itself, for another to be started: too many of its slots were lost.
    """

    interrupted: int
    threads_left: int
    coroutines_left: int
    replace: bool = False

    @property
    def anything_left(self) -> bool:
        """Whether the process would wait for something at its end."""
        return self.threads_left + self.coroutines_left > 0


class Worker:
    """Runs the jobs of an application's tasks, until it is told to stop.

    It is a process of its own (`jobqueue worker`). Inside a test or a small application it can be
    run as a task of an event loop; then it lives and dies with that process.

    database_url: where it works; the JobQueue's own if None.
    direct_url: the server's own URL, for LISTEN and the leader, if `database_url` leads through a
        pooler in transaction mode.
    application, imports: `module:attribute` of `jobs`, and further modules with its tasks. Child
        processes have to import them, for tasks with pool="process"; and by them it is known which
        schedules are of this code.
    """

    def __init__(
        self,
        jobs: JobQueue,
        settings: WorkerSettings,
        *,
        database_url: str | None = None,
        direct_url: str | None = None,
        application: str | None = None,
        imports: Sequence[str] = (),
    ) -> None:
        if not jobs.tasks:
            raise ConfigurationError(
                "application: registers no task; import the modules with its tasks where the "
                "JobQueue is made, or with --import"
            )
        self._jobs = jobs
        self._settings = settings
        self._code = identity(application, imports)
        url = database_url or jobs.database_url
        self._pooled = pooled = bool(direct_url)
        self._claims = Link(url, "worker", pooled=pooled)
        self._acks = Link(url, "worker acks", pooled=pooled)
        own_url = direct_url or url
        self._listens = Link(own_url, "worker listens")
        self._leads = Link(own_url, "leader", idle_timeout=LEADER_IDLE_TIMEOUT)
        wake = asyncio.Event()
        self._gates = Link(url, "worker gates", pooled=pooled)
        self._gatekeeper = Gatekeeper(self._gates, wake)
        self._acker = Acker(self._acks, self._gatekeeper.recorded)
        database_clock = DatabaseClock()
        self._transactions = TransactionPools(url, settings.transaction_connections, pooled=pooled)
        self._lease = Lease(
            self._claims, settings, list(jobs.tasks), lost=self._lost_lease,
            renewed=self._renewed_lease, lost_slots=lambda: self._runner.lost_slots,
        )  # fmt: skip
        self._progress = Progress(self._acks)
        self._lifespans = Lifespans(jobs.hooks.lifespans)
        self._watchdog = Watchdog(
            url,
            self._lease,
            pooled=pooled,
            blocked_seconds=settings.blocked_seconds,
            longest_seconds=settings.longest_block_seconds,
        )
        self._pools = Assembly(
            jobs.tasks,
            settings,
            url=url,
            pooled=pooled,
            application=application,
            imports=imports,
            lease=self._lease,
            begun=self._begun,
            on_time_until=partial(on_time_until, database_clock),
        )
        paused = Paused()
        self.tallies = Tallies()
        """what is counted of its attempts"""
        self._runner = Runner(
            jobs.tasks,
            settings.queues,
            self._acker,
            self._transactions,
            self._pools.by_name,
            paused=paused,
            noted=Noted(self.tallies, settings.logged_share),
            watchdog=self._watchdog,
            report=self._progress.report,
            resources=self._lifespans.resources,
            stop_seconds=settings.stop_seconds,
            holds=self._lease.holds,
            wake=wake,
            lost=self._lost_slots,
            database_clock=database_clock,
            gatekeeper=self._gatekeeper,
        )
        self._claimer = Claimer(
            self._claims,
            self._runner,
            self._acker,
            self._lease,
            Unheard(self._claims, self._lease, self._known, (self._claims, self._acks)),
            paused=paused,
            looks=Looks(settings.queues, likely_priorities(jobs.tasks)),
            database_clock=database_clock,
            tallies=self.tallies,
            poll_seconds=settings.poll_seconds,
            wake=wake,
        )
        self._places = Places(self._claims, self._lease, self._runner.lines, self._runner.renewed)
        self._cancels = Cancels(
            self._claims, self._lease, self._runner, seconds=settings.heartbeat_seconds
        )
        self._pauses = PauseReader(
            self._claims, self._lease, paused, self._runner.in_hand, self._pauses_changed,
            read=self._places.called.set,
            seconds=settings.heartbeat_seconds,
        )  # fmt: skip
        self._leader = Leader(self._lease.name, self._claims, self._leads, duties(settings, jobs))
        self._listener = Listener(
            self._listens,
            self._lease,
            frozenset(settings.queues),
            wake=wake,
            asked=self._cancels.asked,
            reader=self._pauses,
            resigned=self._leader.called,
        )
        self._counts = Counts(self._acks, self.tallies)
        self.outlook = Outlook(
            runner=self._runner,
            claimer=self._claimer,
            acker=self._acker,
            lease=self._lease,
            leader=self._leader,
            pools=self._pools,
            links=(self._claims, self._acks, self._listens, self._leads),
            poll_seconds=settings.poll_seconds,
            longest_block_seconds=settings.longest_block_seconds,
        )
        """how it stands, for who looks from outside"""
        self._replace = False
        self._told = False
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def heed_signals(self, numbers: Iterable[int], handler: Callable[[], None]) -> None:
        """Call `handler` on these signals, whatever jobs do to them. Called on the event loop."""
        signals = Signals(asyncio.get_running_loop())
        for number in numbers:
            signals.heed(number, handler)
        self._watchdog.checks.append(signals.restore)

    def _begun(self, attempt: Attempt) -> None:
        attempt.began = perf_counter()
        self._runner.begun(attempt)

    def _lost_slots(self, what: str) -> None:
        """Make room for a worker whose slots are all there. what: is lost, in words."""
        if self._replace:
            return
        self._replace = True
        log.error(
            "worker %s: %s are lost to jobs that do not stop; it drains, to be replaced by another",
            *(self._lease.name, what),
        )
        self._stop.set()

    def stop(self) -> None:
        """Stop in good order: claim nothing, finish what runs. A second call skips the wait."""
        if self._told:
            self._hurry.set()
        self._told = True
        self._stop.set()

    async def run(self) -> Farewell:
        """Work until `stop`, and say how it ended.

        Raises DatabaseUnavailable if there is no first connection within `connect_seconds`,
        ConfigurationError if sessions that must be its own are shared, and SchemaError if the
        database's schema is not one this release works with. Raises LifespanError if resources of
        the application cannot be opened.
        """
        try:
            farewell = await self._live()
        finally:
            left = await self._lifespans.leave()
        return replace(farewell, coroutines_left=farewell.coroutines_left + left)

    async def _live(self) -> Farewell:
        """Work, with the application's resources open; they are closed by the caller."""
        self.outlook.loop.watch()
        if not await self._arrive_unless_stopped():
            return Farewell(0, 0, 0)
        background = [
            self._acker.run(),
            self._lease.run(),
            self._listener.run(),
            self._cancels.run(),
            self._pauses.run(),
            self._progress.run(),
            self._gatekeeper.run(),
            self._places.run(),
            self._counts.run(),
            warn_of_unknown_tasks(
                self._claims,
                settings=self._settings,
                tasks=list(self._jobs.tasks),
                busy=lambda: self._runner.running > 0,
            ),
        ]
        if self._settings.maintenance:
            background.append(self._leader.run())
        self._watchdog.start(lambda: self._runner.running > 0)
        try:
            async with Background(background):
                return await self._work()
        finally:
            self._watchdog.close()
            await self._depart()

    async def _work(self) -> Farewell:
        """Claim and run until told to stop, then drain."""
        claiming = asyncio.create_task(self._claimer.run())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([claiming, stopping], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # Cancelled from outside: as if told twice to stop.
            self._hurry.set()
            await self._drain(claiming)
            raise
        finally:
            stopping.cancel()
        if not self._stop.is_set():
            # The claimer never ends by itself: one that failed takes the worker down with it.
            self._hurry.set()
            await self._drain(claiming)
            claiming.result()
        return await self._drain(claiming)

    def _lost_lease(self) -> None:
        """Give up what the lost lease held; what was claimed since is handed back with it."""
        self._runner.hand_back_unstarted()
        self._claimer.entered_anew()

    def _pauses_changed(self) -> None:
        self._runner.hand_back_paused()
        self._claimer.pauses_changed()

    def _known(self) -> set[Held]:
        """Give what is in hand, or whose outcome is not known to be recorded."""
        return self._runner.in_hand() | self._acker.unrecorded()

    def _renewed_lease(self) -> None:
        """Start what waited while it was in doubt whether it is still this worker's."""
        self._runner.renewed()

    async def _arrive_unless_stopped(self) -> bool:
        """Arrive; False if told to stop while still waiting for the database."""
        arriving = asyncio.create_task(self._arrive())
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([arriving, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not arriving.done():
            await end([arriving])
            await self._close_links()
            return False
        try:
            await arriving
        except BaseException:
            await self._close_links()
            raise
        return True

    async def _arrive(self) -> None:
        """Enter the books; again when the server goes away in the middle of it."""
        deadline = monotonic() + self._settings.connect_seconds
        pauses = Pauses()
        while True:
            await first_contact(self._claims, self._settings.connect_seconds)
            if self._pooled:
                await first_contact(self._listens, self._settings.connect_seconds)
            try:
                await self._look_at_sessions()
                await self._lifespans.enter()
                return await self._enter()
            except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
                if monotonic() > deadline:
                    raise
                log.warning("database: lost again (%s); trying again", one_line(error))
                await asyncio.sleep(pauses.next_seconds())

    async def _look_at_sessions(self) -> None:
        """Refuse a pooler in transaction mode where sessions must be ours, before any is set up."""
        if not self._pooled:
            return await refuse_shared_sessions("database", self._claims, self._acks)
        await refuse_shared_sessions("direct URL", self._listens, self._leads)
        await self._leads.close()
        return None

    async def _enter(self) -> None:
        await self._claims.check_schema()
        await enter_tasks(self._claims, self._jobs.tasks)
        await tell_of_new_queues(self._claims, self._settings.queues, self._jobs.tasks)
        await place_limits(self._claims, self._jobs)
        await place_schedules(self._claims, self._jobs, self._code)
        await self._lease.enter()
        await self._lease.inherit()
        await self._pauses.read()
        await self._places.look()
        served = ", ".join(f"{queue}={slots}" for queue, slots in self._settings.queues.items())
        log.info("worker %s: serves %s; tasks: %d", self._lease.name, served, len(self._jobs.tasks))
        tell_of_hooks(self._jobs)

    async def _drain(self, claiming: asyncio.Task[None]) -> Farewell:
        """Finish what runs within the grace time, hand back the rest."""
        self._claimer.stop()
        grace_ends = monotonic() + self._settings.grace_seconds
        log.info(
            "worker %s: stopping; jobs running: %d, with %g s to finish (signal again to skip)",
            self._lease.name, self._runner.running, self._settings.grace_seconds,
        )  # fmt: skip
        # Others do what the leader does; this one is busy with its end.
        if self._settings.maintenance:
            await self._leader.resign()
        await self._lease.drain()
        # A claim under way is waited for: its jobs are ours, and are handed back just below.
        await asyncio.wait([claiming], timeout=FAREWELL_SECONDS)
        claiming.cancel()
        self._runner.hand_back_unstarted()
        await first_of(
            self._runner.finished(), self._hurry.wait(), seconds=grace_ends - monotonic()
        )
        interrupted = await self._runner.interrupt()
        patience = FAREWELL_SECONDS
        if not self._hurry.is_set():
            patience = max(patience, grace_ends - monotonic())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._acker.settle(), patience)
        if unrecorded := len(self._acker.unrecorded()):
            log.error(
                "worker %s: outcomes that could not be recorded: %d; those jobs run again when "
                "its lease has expired",
                self._lease.name,
                unrecorded,
            )
        await self._pools.stop()
        return Farewell(
            interrupted + unrecorded,
            self._pools.threads.busy,
            self._runner.coroutines_left,
            replace=self._replace,
        )

    async def _depart(self) -> None:
        """Leave the books and close the connections. A database that is gone is not waited for."""
        with suppress(TimeoutError, psycopg.Error):
            leaving = self._lease.leave(self._acker.unrecorded())
            async with asyncio.timeout(FAREWELL_SECONDS):
                await asyncio.gather(leaving, self._counts.tell_last())
        self._pools.close()
        await self._transactions.close()
        await self._close_links()

    async def _close_links(self) -> None:
        for link in (self._claims, self._acks, self._gates, self._listens, self._leads):
            with suppress(psycopg.Error):
                await link.close()
