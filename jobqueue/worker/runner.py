"""Running claimed jobs in the slots of their queues, each in the pool of its task."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import copy_context
from itertools import chain
from time import perf_counter
from typing import Any

from jobqueue.client.batches import BatchAttempt
from jobqueue.client.context import Attempt, Report, current_attempt, current_resources
from jobqueue.client.resources import Resources
from jobqueue.client.task import Task
from jobqueue.client.transaction_source import Pools as Connections
from jobqueue.core.outcome import Expired, Interrupted, Kind, Verdict
from jobqueue.observe.attempts import Noted
from jobqueue.store.claims import Claimed, Held
from jobqueue.worker.acker import Acker
from jobqueue.worker.batches import Batches
from jobqueue.worker.database_clock import DatabaseClock
from jobqueue.worker.ending import COMPLETED, Ending
from jobqueue.worker.gatekeeper import Gatekeeper
from jobqueue.worker.limited import UNSTARTED, Limited
from jobqueue.worker.lines import Line
from jobqueue.worker.lost_slots import LostSlots
from jobqueue.worker.patience import Patience
from jobqueue.worker.paused import Paused
from jobqueue.worker.plans import Plan, begin, plan_of
from jobqueue.worker.pools import Pool
from jobqueue.worker.recorder import Recorder
from jobqueue.worker.rooms import Rooms
from jobqueue.worker.stops import Running, Stops, cancelled
from jobqueue.worker.watchdog import Watchdog

log = logging.getLogger("jobqueue.worker")

# How long a cancelled coroutine may take to end when the worker does.
LAST_SECONDS = 1.0

# A task begins a moment after it was made, and the worker may be frozen in it.
BEGINS_LATER = sys.version_info < (3, 12)

NOT_BEGUN = Ending(UNSTARTED)
TOO_LATE = Verdict(Kind.CANCELLED, error=Expired())


class Runner:
    """Starts jobs as slots allow, and hands each outcome to the acker.

    pools: by the names that tasks know them by.
    paused: what is not to begin here.
    noted: takes note of how attempts end.
    watchdog: looks after the event loop while jobs run.
    report: takes in how far a job is, in any thread.
    resources: what is open for the jobs of this process.
    stop_seconds: how long an attempt whose time is over may take to stop.
    holds: whether the worker's lease lasts, as far as it can know by itself. One that was frozen
        starts nothing of what it had in hand: others may have it by now.
    wake: set when a slot was freed and the claimer may want to look.
    lost: called with what is half lost, in words: a queue's slots, or the room of a pool.
    database_clock, gatekeeper: for jobs under limits.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task[..., Any]],
        queues: Mapping[str, int],
        acker: Acker,
        connections: Connections,
        pools: Mapping[str, Pool],
        *,
        paused: Paused,
        noted: Noted,
        watchdog: Watchdog,
        report: Report,
        resources: Resources,
        stop_seconds: float,
        holds: Callable[[], bool],
        wake: asyncio.Event,
        lost: Callable[[str], None],
        database_clock: DatabaseClock,
        gatekeeper: Gatekeeper,
    ) -> None:
        self.lines = {queue: Line(queue, slots) for queue, slots in queues.items()}
        self.rooms = Rooms(tasks, pools)
        self._tasks = tasks
        self._acker = acker
        self._connections = connections
        self._pools = pools
        self._paused = paused
        self._noted = noted
        self._watchdog = watchdog
        self._report = report
        self._holds = holds
        self._wake = wake
        self._limited = Limited(
            database_clock,
            gatekeeper,
            acker,
            due=self._are_due,
            start=self._start,
            occupy=self._occupy,
            vacate=self._vacate,
            freed=self._freed,
        )
        self._plans = {name: plan_of(task, pools[task.pool]) for name, task in tasks.items()}
        self._running: Running = {}
        self._lost = LostSlots(tasks, self.rooms, lost)
        self.batches = Batches(self._start_batch, self._release, wake)
        self.stops = Stops(tasks, pools, self._running, self._give_up, stop_seconds)
        self._recorder = Recorder(acker, noted)
        # Each job starts from the worker's context, whatever the one before it left in its own.
        self._context = copy_context()
        self._context.run(current_resources.set, resources)
        self._idle = asyncio.Event()
        self._idle.set()
        self._patience = Patience(self.lines, self._give_back)

    @property
    def running(self) -> int:
        """Jobs that run now, each of a batch counted."""
        return sum(len(attempt.members) for attempt in self._running)

    @property
    def coroutines_left(self) -> int:
        """Coroutines that were cancelled and run on regardless."""
        return len(self._running) + len(self._lost)

    @property
    def lost_slots(self) -> int:
        """Slots held by jobs that are ended in the books and run on."""
        return len(self._lost)

    def wanted(self, round_trip_seconds: float) -> dict[str, int]:
        """How many jobs to claim of each queue that has room."""
        limits = {queue: line.wanted(round_trip_seconds) for queue, line in self.lines.items()}
        if self._limited:
            for queue, line in self.lines.items():
                limits[queue] = min(limits[queue], self._limited.room(line))
        wanted = {queue: limit for queue, limit in limits.items() if limit > 0}
        for queue in self._paused.queues:
            wanted.pop(queue, None)
        return self.rooms.fitting(wanted) if self.rooms.matter else wanted

    def claimable(self) -> list[str]:
        """Name the tasks of which jobs may be claimed now."""
        names = self.rooms.claimable()
        paused = self._paused.tasks
        return [name for name in names if name not in paused] if paused else names

    def accept(self, jobs: Sequence[Claimed], wanted: Mapping[str, int]) -> None:
        """Start claimed jobs, or keep them in hand until a slot is free, or give them back.

        wanted: was asked for of each queue; nothing, if it was for batches.
        """
        characters = dict.fromkeys(self.lines, 0)
        in_hand = {queue: len(self.lines[queue].buffer) for queue in wanted}
        paced: list[tuple[Line, Claimed]] = []
        for job in jobs:
            characters[job.queue] += len(job.args)
            more = job.more
            if more is not None and more.expired:
                self._acker.not_completed(job, TOO_LATE)
            elif self._paused.any and self._paused.holds(job):
                self._acker.not_completed(job, UNSTARTED)
            elif more is not None and more.starts_at:
                paced.append((self.lines[job.queue], job))
            else:
                self.lines[job.queue].buffer.append(job)
        for queue, asked in wanted.items():
            line = self.lines[queue]
            line.answered(asked, len(line.buffer) - in_hand[queue], characters[queue])
        if paced:
            self._limited.put(paced)
        self._fill_all()
        self._patience.watch()

    def renewed(self) -> None:
        """Go on after the lease was in doubt: start what is in hand, and look for more."""
        self._fill_all()
        self._wake.set()

    def _fill_all(self) -> None:
        for line in self.lines.values():
            self._fill(line)

    def in_hand(self) -> set[Held]:
        """Give what runs or waits for a slot."""
        running = (one.job for attempt in self._running for one in attempt.members)
        waiting = (job for line in self.lines.values() for job in line.buffer)
        waits = chain(waiting, self.batches.in_hand(), self._limited)
        return {(job.id, job.lease) for job in chain(running, waits)}

    def hand_back_unstarted(self) -> None:
        """Give back what is in hand and not started; the attempts are not counted."""
        self._hand_back(lambda _: True)

    def hand_back_paused(self) -> None:
        """Give back what is in hand and not to begin; the attempts are not counted."""
        self._hand_back(self._paused.holds)

    def _hand_back(self, wanted: Callable[[Claimed], bool]) -> None:
        for job in self._take_out(wanted):
            self._acker.not_completed(job, UNSTARTED)

    def _take_out(self, wanted: Callable[[Claimed], bool]) -> list[Claimed]:
        """Take jobs out of the hand that have not started."""
        lines = chain.from_iterable(line.take_out(wanted) for line in self.lines.values())
        return [*lines, *self.batches.take_out(wanted), *self._limited.remove(wanted)]

    async def finished(self) -> None:
        """Wait until no job runs."""
        await self._idle.wait()

    def cancel(self, asked: Collection[tuple[str, int]]) -> int:
        """Stop the jobs that somebody cancelled, those in hand at once. Gives how many are here.

        asked: their ids and leases.
        """
        waiting = self._take_out(lambda job: (job.id, job.lease) in asked)
        for job in waiting:
            self._acker.not_completed(job, Verdict(Kind.CANCELLED, error=cancelled()))
        found = len(waiting)
        for attempt in self._running:
            told = [one for one in attempt.members if (one.job.id, one.job.lease) in asked]
            found += len(told)
            if told and all(one in told or one.stopped for one in attempt.members):
                self.stops.stop(attempt, cancelled())
            for one in told:  # the others of its batch go on
                one.stopped = one.stopped or cancelled()
        return found

    async def interrupt(self) -> int:
        """Stop what runs and hand it back at once. Gives how many jobs were handed back.

        A thread cannot be stopped: its job is handed back, and the thread's own end is ignored.
        """
        await asyncio.sleep(0)  # what was just started begins, and so can be told
        stopped = dict(self._running)
        for attempt, running in stopped.items():
            self.stops.ended(attempt)
            if attempt.stopped is None:
                attempt.tell(Interrupted("the worker stopped before the job was done"))
            running.cancel()
        for running in self._lost:
            running.cancel()
        if waited := [*stopped.values(), *self._lost]:
            # One that swallows its cancellation is left behind; its ack would be refused anyway.
            await asyncio.wait(waited, timeout=LAST_SECONDS)
        if sure := [one for attempt, one in stopped.items() if self._pool(attempt).sure]:
            await asyncio.wait(sure)
        for attempt in self._running:
            self._end_without(attempt)
        return self._recorder.interrupted

    def _pool(self, attempt: Attempt) -> Pool:
        return self._pools[self._tasks[attempt.job.task].pool]

    def _start(self, line: Line, job: Claimed) -> None:
        plan = self._plans[job.task]
        collected = plan.batches and self.batches.collects(job)
        if plan.limited and not collected and not self.rooms.free(plan.task):
            self._acker.not_completed(job, UNSTARTED)
            return
        special = plan.flows or job.more is not None
        if special and not self._limited.may_start(line, plan.task, job):
            return
        if collected:
            self.batches.add(job)
            return
        if plan.limited:
            self.rooms.take(plan.task)
        line.running += 1
        if plan.batches:
            self.batches.begin(line, plan.task)
            self.batches.add(job)
            return
        if self._watchdog.asleep:
            self._watchdog.wake()
        loop = asyncio.get_running_loop()
        attempt = Attempt(
            job, self._connections, perf_counter(), self._report, plan.history, loop=loop
        )
        running = begin(self._attempt(line, plan, attempt), loop, self._context.copy())
        if not running.done():
            self._running[attempt] = running
            self._idle.clear()
            if (plan.timed or job.more is not None) and plan.at_once:
                self.begun(attempt)

    def _start_batch(self, line: Line, task: Task[..., Any], jobs: list[Claimed]) -> None:
        """Start jobs together, in the slot that was taken for them."""
        if not self._holds():
            # They waited, and meanwhile the worker may have been frozen: others may have them.
            for job in jobs:
                self._acker.not_completed(job, UNSTARTED)
            self._release(line, task)
            return
        plan = self._plans[task.name]
        if self._watchdog.asleep:
            self._watchdog.wake()
        loop, now = asyncio.get_running_loop(), perf_counter()
        members = [
            Attempt(job, self._connections, now, self._report, plan.history, loop=loop)
            for job in jobs
        ]
        attempt = BatchAttempt(members)
        running = begin(self._attempt(line, plan, attempt), loop, self._context.copy())
        if not running.done():
            self._running[attempt] = running
            self._idle.clear()
            self.begun(attempt)

    def _release(self, line: Line, task: Task[..., Any]) -> None:
        """Free the slot of a batch that was given up before it began."""
        if self._plans[task.name].limited:
            self.rooms.leave(task)
        line.running -= 1
        self._wake.set()

    def _occupy(self, line: Line, job: Claimed) -> None:
        """Keep a slot, and a place in its pool, for a job that starts in a moment."""
        plan = self._plans[job.task]
        if plan.limited:
            self.rooms.take(plan.task)
        line.running += 1

    def _vacate(self, line: Line, job: Claimed) -> None:
        plan = self._plans[job.task]
        if plan.limited:
            self.rooms.leave(plan.task)
        line.running -= 1

    def _are_due(self, jobs: Sequence[tuple[Line, Claimed]]) -> None:
        """Start jobs whose moments have come before all others, as slots are free."""
        for line, job in reversed(jobs):
            line.buffer.appendleft(job)
        for line in dict.fromkeys(line for line, _ in jobs):
            self._freed(line)
        self._patience.watch()

    def _freed(self, line: Line) -> None:
        self._fill(line)
        self._wake.set()

    def begun(self, attempt: Attempt) -> None:
        """Count an attempt's time from now on."""
        job = attempt.job
        limits = [one.job.timeout_seconds for one in attempt.members]
        of_task = self._tasks[job.task].timeout
        given = [of_task if own is None else own for own in limits]
        if timeouts := [timeout for timeout in given if timeout is not None]:
            self.stops.begun(attempt, min(timeouts))

    async def _attempt(self, line: Line, plan: Plan, attempt: Attempt) -> None:
        try:
            current_attempt.set(attempt)
            if BEGINS_LATER:
                # The time before is not the task's: who took it for that would claim too little.
                attempt.began = perf_counter()
            if BEGINS_LATER and not self._still_may_begin(attempt.job):
                ending = NOT_BEGUN
            else:
                ending = await plan.run(plan.task, attempt)
            seconds = perf_counter() - attempt.began
            if attempt.given_up:
                self._lost.stopped_after_all(line, attempt)
            else:
                if ending is COMPLETED:
                    self._acker.completed(attempt.job, seconds, keep=plan.history)
                    self._noted.completed(attempt.job, attempt.began, seconds)
                else:
                    self._recorder.record(plan.task, attempt, ending, seconds)
                line.measure(seconds)
        finally:
            self._running.pop(attempt, None)
            self._free(line, plan, attempt)

    def _still_may_begin(self, job: Claimed) -> bool:
        """Whether an attempt may begin now that was let begin a moment ago."""
        return self._holds() and self._limited.on_time(job)

    def _free(self, line: Line, plan: Plan, attempt: Attempt) -> None:
        """Free the slot of an attempt that has ended, for the next one."""
        if self.stops.any:
            self.stops.ended(attempt)
        if plan.limited:
            self.rooms.leave(plan.task)
        line.running -= 1
        self._freed(line)
        if not self._running:
            self._idle.set()

    def _end_without(self, attempt: Attempt) -> None:
        """End an attempt in the books that runs on."""
        attempt.given_up = True
        self._recorder.record_given_up(self._tasks[attempt.job.task], attempt)

    def _give_up(self, attempt: Attempt) -> None:
        """End an attempt in the books that does not stop, and count its slot as lost."""
        if attempt not in self._running:
            return
        running = self._running.pop(attempt)
        self._end_without(attempt)
        if not self._running:
            self._idle.set()
        self._lost.add(self.lines[attempt.job.queue], attempt, running)

    def _fill(self, line: Line) -> None:
        """Start what is in hand while slots are free."""
        if line.filling:
            return  # a job that ended before its start returned; the loop below goes on
        line.filling = True
        while line.buffer and line.running < line.concurrency and self._holds():
            self._start(line, line.buffer.popleft())
        if self.batches.any and line.buffer:
            self.batches.join(line)
        line.filling = False

    def _give_back(self, line: Line) -> None:
        for waiting in line.take_out(lambda _: True):
            self._acker.not_completed(waiting, UNSTARTED)
        # With the lease in doubt nothing runs, so no end of a job would wake the claimer.
        self._wake.set()
