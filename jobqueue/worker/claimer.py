"""Claiming: keeps slots busy while there are jobs, looks ever less often while there are none."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic, perf_counter

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.observe.metrics.tallies import Tallies
from jobqueue.store import claims, workers
from jobqueue.store.claims import Claimed
from jobqueue.worker.acker import Acker
from jobqueue.worker.background import is_set
from jobqueue.worker.clock import clock
from jobqueue.worker.database_clock import DatabaseClock
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link, Pauses
from jobqueue.worker.looks import Looks
from jobqueue.worker.paused import Paused
from jobqueue.worker.runner import Runner
from jobqueue.worker.unheard import Unheard

log = logging.getLogger("jobqueue.worker")

FIRST_LOOK_SECONDS = 0.001
# While jobs flow from some queues, those that were empty are looked at again after so long, the
# later the more they are; and jobs flow for so long after the last was found.
EMPTY_SECONDS = 0.005
EMPTY_SECONDS_EACH = 0.001
FLOWING_SECONDS = 0.03
# Found nothing for so long: say that we sleep, so that enqueue sends a NOTIFY.
AWAKE_SECONDS = 0.03


class Claimer:
    """Claims for every queue that has room, in one statement.

    An idle worker polls at growing pauses. After the first few it says in its row that it sleeps,
    looks once more, and then relies on being woken; the pauses go on growing to `poll_seconds`.
    What was enqueued by a transaction that had not seen the worker asleep is so found after about
    as long as that transaction took. NOTIFY is a hint, polling is the truth.
    """

    def __init__(
        self,
        link: Link,
        runner: Runner,
        acker: Acker,
        lease: Lease,
        unheard: Unheard,
        *,
        paused: Paused,
        looks: Looks,
        database_clock: DatabaseClock,
        tallies: Tallies,
        poll_seconds: float,
        wake: asyncio.Event,
    ) -> None:
        self._link = link
        self._runner = runner
        self._acker = acker
        self._lease = lease
        self._unheard = unheard
        self._paused = paused
        self._looks = looks
        self._database_clock = database_clock
        self._tallies = tallies
        self._poll_seconds = poll_seconds
        self._wake = wake
        self._round_trip_seconds = 0.001
        self._pause = FIRST_LOOK_SECONDS
        self._asleep: frozenset[str] = frozenset()
        self._flows_until = 0.0
        # Of queues in which the last look found nothing.
        self._empty_until: dict[str, float] = {}
        self._stop = asyncio.Event()
        self.turned_at = 0.0
        """when it last went round, by `monotonic`"""
        self.answered_at = 0.0
        """when the database last answered a claim"""
        self.failed = False
        """whether the last claim did"""

    def stop(self) -> None:
        """Claim nothing more; `run` returns when the claim under way is answered."""
        self._stop.set()
        self._wake.set()

    def entered_anew(self) -> None:
        """Learn that the worker is in the books under a new id, where it does not sleep yet."""
        self._asleep = frozenset()
        self._pause = FIRST_LOOK_SECONDS
        self._wake.set()

    def pauses_changed(self) -> None:
        """Look from the start: what was left alone lies before what was claimed meanwhile."""
        self._looks.forget()
        self.entered_anew()

    async def run(self) -> None:
        """Claim until stopped. Outages are waited out."""
        pauses = Pauses()
        while not self._stop.is_set():
            self.turned_at = monotonic()
            try:
                await self._unheard.look()
                await self._look()
                pauses.reset()
                self.failed = False
            except psycopg.Error as error:
                self.failed = True
                self._unheard.doubt()
                self._asleep = frozenset()  # whether the books say so is not known either
                pause = pauses.next_seconds()
                reason = one_line(error)
                log.warning("claim: failed (%s); trying again in %.1f s", reason, pause)
                await is_set(self._stop, seconds=pause)

    async def _look(self) -> None:
        """Claim once, and wait as long as it is worth before the next look."""
        self._wake.clear()
        if self._acker.behind:
            await self._acker.caught_up()
        if self._stop.is_set():
            return
        if self._runner.batches.any:
            await self._fill_batches()
        wanted = self._runner.wanted(self._round_trip_seconds)
        if not wanted:
            await is_set(self._wake, seconds=self._poll_seconds)
            return
        wanted = await self._worth_a_look(wanted)
        if not wanted:
            return
        found = await self._claim(wanted)
        if self._paused.keys:
            await self._look_at_keys(found)
        self._runner.accept(found, wanted)
        if found:
            await self._stay_awake()
        # Every queue gave less than asked: there is nothing left to claim at the moment.
        if len(found) < min(wanted.values()):
            await self._rest(frozenset(wanted))

    async def _claim(self, wanted: dict[str, int]) -> list[Claimed]:
        began, sent_at = perf_counter(), clock()
        stretches = self._looks.stretches(began)
        rows = await self._link.run(
            claims.claim(self._lease.worker_id, wanted, self._runner.claimable(), stretches)
        )
        now = perf_counter()
        self.answered_at = monotonic()
        look = claims.look(rows)
        self._looks.learn(wanted, look, now, now - began)
        self._database_clock.learn(look.moment, sent_at)
        self._tallies.clock_ahead = look.moment - began
        empty = wanted.keys() - {job.queue for job in look.jobs}
        again = now + max(EMPTY_SECONDS, EMPTY_SECONDS_EACH * len(empty))
        for queue in wanted:
            self._empty_until.pop(queue, None)
        self._empty_until.update(dict.fromkeys(empty, again))
        if look.jobs:
            self._flows_until = now + FLOWING_SECONDS
            self._round_trip_seconds += 0.2 * (now - began - self._round_trip_seconds)
        return look.jobs

    async def _fill_batches(self) -> None:
        """Claim what batches still lack that are being collected, of their own tasks only."""
        for queue, task, jobs in self._runner.batches.missing():
            statement = claims.claim(self._lease.worker_id, {queue: jobs}, [task])
            found = claims.look(await self._link.run(statement)).jobs
            if self._paused.keys:
                await self._look_at_keys(found)
            self._runner.accept(found, {})

    async def _look_at_keys(self, found: list[Claimed]) -> None:
        """Find out which jobs are of paused keys; only those that are under limits can be."""
        gated = [job.id for job in found if job.starts_at is not None]
        await self._paused.look_at_keys(self._link, gated)

    async def _worth_a_look(self, wanted: dict[str, int]) -> dict[str, int]:
        """Leave out queues that were just empty, while jobs flow from another.

        Gives none after a wait, if there are no others: then things may have changed.
        """
        now = perf_counter()
        if now >= self._flows_until or len(self._empty_until) == len(self._runner.lines):
            return wanted
        until = {queue: self._empty_until.get(queue, now) for queue in wanted}
        if (soonest := min(until.values())) > now:
            await is_set(self._wake, seconds=soonest - now)
            return {}
        return {queue: jobs for queue, jobs in wanted.items() if until[queue] <= now}

    async def _stay_awake(self) -> None:
        self._pause = FIRST_LOOK_SECONDS
        if self._asleep:
            self._asleep = frozenset()
            await self._link.run(workers.sleep(self._lease.worker_id, []))

    async def _rest(self, queues: frozenset[str]) -> None:
        if not queues <= self._asleep and self._pause > AWAKE_SECONDS:
            self._asleep = queues
            await self._link.run(workers.sleep(self._lease.worker_id, sorted(queues)))
            return  # to the last look
        await is_set(self._wake, seconds=self._pause)
        self._pause = min(self._pause * 2, self._poll_seconds)
