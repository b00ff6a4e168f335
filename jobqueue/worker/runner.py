"""Running claimed jobs in the slots of their queues, each in the pool of its task."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextvars import Context, copy_context
from itertools import chain
from time import perf_counter
from typing import Any, NamedTuple

from jobqueue.client.context import Attempt, Report, current_attempt, current_resources
from jobqueue.client.resources import Resources
from jobqueue.client.task import Task
from jobqueue.client.transaction_source import Pools as Connections
from jobqueue.core.outcome import Cancel, Interrupted, Kind, Verdict
from jobqueue.observe.attempts import Noted
from jobqueue.store.claims import Claimed, Held
from jobqueue.worker.acker import Acker
from jobqueue.worker.ending import COMPLETED, SETTLED, Ending, given_up
from jobqueue.worker.lines import Line
from jobqueue.worker.pools import Pool
from jobqueue.worker.rooms import Rooms
from jobqueue.worker.stops import Running, Stops
from jobqueue.worker.watchdog import Watchdog

log = logging.getLogger("jobqueue.worker")

# A job that has waited so long in hand is given back, for a worker with a free slot.
LONGEST_WAIT_SECONDS = 0.1
# How long a cancelled coroutine may take to end when the worker does.
LAST_SECONDS = 1.0

# A task begins a moment after it was made, and the worker may be frozen in it.
BEGINS_LATER = sys.version_info < (3, 12)

UNSTARTED = Verdict(Kind.HANDED_BACK, refund=True)
NOT_BEGUN = Ending(UNSTARTED)


class Plan(NamedTuple):
    """What is to be known of a task for each of its jobs, at hand.

    run: of its pool. timed: whether it has a timeout. at_once: whether that is counted from an
    attempt's start; or else the pool says when it begins. limited: whether its pool may be full.
    """

    task: Task[..., Any]
    run: Callable[[Task[..., Any], Attempt], Coroutine[Any, Any, Ending]]
    history: bool
    timed: bool
    at_once: bool
    limited: bool


class Runner:
    """Starts jobs as slots allow, and hands each outcome to the acker.

    pools: by the names that tasks know them by.
    noted: takes note of how attempts end.
    watchdog: looks after the event loop while jobs run.
    report: takes in how far a job is, in any thread.
    resources: what is open for the jobs of this process.
    stop_seconds: how long an attempt whose time is over may take to stop.
    holds: whether the worker's lease lasts, as far as it can know by itself. One that was frozen
        starts nothing of what it had in hand: others may have it by now.
    wake: set when a slot was freed and the claimer may want to look.
    lost: called with what is half lost, in words: a queue's slots, or the room of a pool.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task[..., Any]],
        queues: Mapping[str, int],
        acker: Acker,
        connections: Connections,
        pools: Mapping[str, Pool],
        *,
        noted: Noted,
        watchdog: Watchdog,
        report: Report,
        resources: Resources,
        stop_seconds: float,
        holds: Callable[[], bool],
        wake: asyncio.Event,
        lost: Callable[[str], None],
    ) -> None:
        self.lines = {queue: Line(queue, slots) for queue, slots in queues.items()}
        self.rooms = Rooms(tasks, pools)
        self._tasks = tasks
        self._acker = acker
        self._connections = connections
        self._pools = pools
        self._noted = noted
        self._watchdog = watchdog
        self._report = report
        self._holds = holds
        self._wake = wake
        self._too_many_lost = lost
        self._plans = {name: _plan(task, pools[task.pool]) for name, task in tasks.items()}
        self._running: Running = {}
        self._lost: Running = {}
        self.stops = Stops(tasks, pools, self._running, self._give_up, stop_seconds)
        self._interrupted = 0
        # Each job starts from the worker's context, whatever the one before it left in its own.
        self._context = copy_context()
        self._context.run(current_resources.set, resources)
        self._idle = asyncio.Event()
        self._idle.set()
        self._next_check: asyncio.TimerHandle | None = None

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._running)

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
        wanted = {queue: limit for queue, limit in limits.items() if limit > 0}
        return self.rooms.fitting(wanted) if self.rooms.matter else wanted

    def accept(self, jobs: Sequence[Claimed], wanted: Mapping[str, int]) -> None:
        """Start claimed jobs, or keep them in hand until a slot is free. wanted: was asked for."""
        characters = dict.fromkeys(wanted, 0)
        in_hand = {queue: len(self.lines[queue].buffer) for queue in wanted}
        for job in jobs:
            self.lines[job.queue].buffer.append(job)
            characters[job.queue] += len(job.args)
        for queue, asked in wanted.items():
            line = self.lines[queue]
            line.answered(asked, len(line.buffer) - in_hand[queue], characters[queue])
        self._fill_all()
        if self._next_check is None and any(line.buffer for line in self.lines.values()):
            self._watch_buffers()

    def renewed(self) -> None:
        """Go on after the lease was in doubt: start what is in hand, and look for more."""
        self._fill_all()
        self._wake.set()

    def _fill_all(self) -> None:
        for line in self.lines.values():
            self._fill(line)

    def in_hand(self) -> set[Held]:
        """Give what runs or waits for a slot."""
        running = (attempt.job for attempt in self._running)
        waiting = (job for line in self.lines.values() for job in line.buffer)
        return {(job.id, job.lease) for job in chain(running, waiting)}

    def hand_back_unstarted(self) -> None:
        """Give back what is in hand and not started; the attempts are not counted."""
        for line in self.lines.values():
            self._hand_back(line)

    async def finished(self) -> None:
        """Wait until no job runs."""
        await self._idle.wait()

    def cancel(self, asked: Collection[tuple[str, int]]) -> int:
        """Stop the jobs that somebody cancelled, those in hand at once. Gives how many are here.

        asked: their ids and leases.
        """
        found = 0
        for line in self.lines.values():
            for job in [job for job in line.buffer if (job.id, job.lease) in asked]:
                line.buffer.remove(job)
                self._acker.not_completed(job, Verdict(Kind.CANCELLED, error=_cancelled()))
                found += 1
        for attempt in self._running:
            if (attempt.job.id, attempt.job.lease) in asked:
                self.stops.stop(attempt, _cancelled())
                found += 1
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
                attempt.stopped = Interrupted("the worker stopped before the job was done")
            running.cancel()
        for running in self._lost.values():
            running.cancel()
        if waited := [*stopped.values(), *self._lost.values()]:
            # One that swallows its cancellation is left behind; its ack would be refused anyway.
            await asyncio.wait(waited, timeout=LAST_SECONDS)
        if sure := [one for attempt, one in stopped.items() if self._pool(attempt).sure]:
            await asyncio.wait(sure)
        for attempt in self._running:
            self._end_without(attempt)
        return self._interrupted

    def _hand_back(self, line: Line) -> None:
        while line.buffer:
            self._acker.not_completed(line.buffer.popleft(), UNSTARTED)

    def _pool(self, attempt: Attempt) -> Pool:
        return self._pools[self._tasks[attempt.job.task].pool]

    def _start(self, line: Line, job: Claimed) -> None:
        plan = self._plans[job.task]
        if plan.limited:
            if not self.rooms.free(plan.task):
                self._acker.not_completed(job, UNSTARTED)
                return
            self.rooms.take(plan.task)
        line.running += 1
        if self._watchdog.asleep:
            self._watchdog.wake()
        loop = asyncio.get_running_loop()
        attempt = Attempt(
            job, self._connections, perf_counter(), self._report, plan.history, loop=loop
        )
        running = _begin(self._attempt(line, plan, attempt), loop, self._context.copy())
        if not running.done():
            self._running[attempt] = running
            self._idle.clear()
            if (plan.timed or job.timeout_seconds is not None) and plan.at_once:
                self.begun(attempt)

    def begun(self, attempt: Attempt) -> None:
        """Count an attempt's time from now on."""
        job = attempt.job
        own = job.timeout_seconds
        timeout = self._tasks[job.task].timeout if own is None else own
        if timeout is not None:
            self.stops.begun(attempt, timeout)

    async def _attempt(self, line: Line, plan: Plan, attempt: Attempt) -> None:
        try:
            current_attempt.set(attempt)
            if BEGINS_LATER:
                # The time before is not the task's: who took it for that would claim too little.
                attempt.began = perf_counter()
            if BEGINS_LATER and not self._holds():
                ending = NOT_BEGUN
            else:
                ending = await plan.run(plan.task, attempt)
            seconds = perf_counter() - attempt.began
            if attempt.given_up:
                self._stopped_after_all(line, attempt)
            else:
                if ending is COMPLETED:
                    self._acker.completed(attempt.job, seconds, keep=plan.history)
                    self._noted.completed(attempt.job, attempt.began, seconds)
                else:
                    self._record(plan.task, attempt, ending, seconds)
                line.measure(seconds)
        finally:
            self._running.pop(attempt, None)
            self._free(line, plan, attempt)

    def _free(self, line: Line, plan: Plan, attempt: Attempt) -> None:
        """Free the slot of an attempt that has ended, for the next one."""
        if self.stops.any:
            self.stops.ended(attempt)
        if plan.limited:
            self.rooms.leave(plan.task)
        line.running -= 1
        self._fill(line)
        if not self._running:
            self._idle.set()
        self._wake.set()

    def _record(
        self, task: Task[..., Any], attempt: Attempt, ending: Ending, seconds: float
    ) -> None:
        """Hand to the acker how an attempt ended."""
        verdict = ending.verdict
        if verdict is None:
            if ending.result is not None:
                self._acker.returned(attempt.job, seconds, ending.result, settled=ending.settled)
            elif not ending.settled:
                self._acker.completed(attempt.job, seconds, keep=task.history)
            if attempt.completed or ending is not SETTLED:  # or else its lease was lost
                self._noted.completed(attempt.job, attempt.began, seconds)
            return
        if isinstance(verdict.error, Interrupted):
            self._interrupted += 1
        self._acker.not_completed(attempt.job, verdict)
        self._noted.ended(
            task, attempt.job, verdict, ending.error, began=attempt.began, seconds=seconds
        )

    def _end_without(self, attempt: Attempt) -> None:
        """End an attempt in the books that runs on."""
        attempt.given_up = True
        task = self._tasks[attempt.job.task]
        self._record(task, attempt, given_up(task, attempt), perf_counter() - attempt.began)

    def _give_up(self, attempt: Attempt) -> None:
        """End an attempt in the books that does not stop, and count its slot as lost."""
        if attempt not in self._running:
            return
        self._lost[attempt] = self._running.pop(attempt)
        self._end_without(attempt)
        job, line = attempt.job, self.lines[attempt.job.queue]
        line.lost += 1
        log.error(
            "job %s %s: does not stop, and runs on in its slot, which is lost until it ends; lost "
            "of queue %s: %d of %d slots",
            *(job.task, job.id, job.queue, line.lost, line.concurrency),
        )
        if not self._running:
            self._idle.set()
        if line.lost * 2 >= line.concurrency:
            self._too_many_lost(f"{line.lost} of {line.concurrency} slots of queue {job.queue}")
        elif (room := self._pool(attempt).most(self._tasks[job.task])) is not None:
            self._look_at_room(self._tasks[job.task].pool, room)

    def _look_at_room(self, pool: str, room: int) -> None:
        """See whether too little is left of a pool that has less room than there are slots."""
        lost = sum(1 for attempt in self._lost if self._tasks[attempt.job.task].pool == pool)
        if lost * 2 >= room:
            self._too_many_lost(f"{lost} of {room} places of pool {pool!r}")

    def _stopped_after_all(self, line: Line, attempt: Attempt) -> None:
        if self._lost.pop(attempt, None) is None:
            return  # the worker ends
        line.lost -= 1
        job = attempt.job
        log.warning(
            "job %s %s: has ended after all, %.3f s after its start; its slot is free again",
            *(job.task, job.id, perf_counter() - attempt.began),
        )

    def _fill(self, line: Line) -> None:
        """Start what is in hand while slots are free."""
        if line.filling:
            return  # a job that ended before its start returned; the loop below goes on
        line.filling = True
        while line.buffer and line.running < line.concurrency and self._holds():
            self._start(line, line.buffer.popleft())
        line.filling = False

    def _watch_buffers(self) -> None:
        newest = [(line, line.buffer[-1]) for line in self.lines.values() if line.buffer]
        loop = asyncio.get_running_loop()
        self._next_check = loop.call_later(LONGEST_WAIT_SECONDS, self._look_at_buffers, newest)

    def _look_at_buffers(self, newest: list[tuple[Line, Claimed]]) -> None:
        """Hand back lines in which what was in hand at the last look has not all begun."""
        self._next_check = None
        for line, job in newest:
            if any(waiting is job for waiting in line.buffer):
                line.slowed(LONGEST_WAIT_SECONDS)
                self._hand_back(line)
                # With the lease in doubt nothing runs, so no end of a job would wake the claimer.
                self._wake.set()
        if any(line.buffer for line in self.lines.values()):
            self._watch_buffers()


def _plan(task: Task[..., Any], pool: Pool) -> Plan:
    timed, at_once = task.timeout is not None, not pool.tells_begin
    return Plan(task, pool.run, task.history, timed, at_once, pool.most(task) is not None)


def _begin(
    attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, context: Context
) -> asyncio.Task[None]:
    """Start `attempt` as a task in `context`; it runs to its first wait at once if it can."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(attempt, loop=loop, context=context, eager_start=True)
    return loop.create_task(attempt, context=context)


def _cancelled() -> Cancel:
    return Cancel("somebody cancelled it while it ran")
