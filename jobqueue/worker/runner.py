"""Running claimed jobs in the slots of their queues, and judging how each attempt ended."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import replace
from itertools import chain
from time import perf_counter
from typing import Any

from jobqueue.client.context import Attempt, current_attempt
from jobqueue.client.task import Task
from jobqueue.client.transaction_source import Pools
from jobqueue.core.errors import AlreadyProcessed, LeaseLost, PartlyCommitted, one_line
from jobqueue.core.hiding import hide, secret_texts
from jobqueue.core.outcome import Cancel, Interrupted, Kind, Snooze, Verdict, judge
from jobqueue.core.retry import Retry
from jobqueue.store.claims import Claimed, Held
from jobqueue.worker.acker import Acker
from jobqueue.worker.lines import Line
from jobqueue.worker.threads import Threads

log = logging.getLogger("jobqueue.worker")

# A job that has waited so long in hand is given back, for a worker with a free slot.
LONGEST_WAIT_SECONDS = 0.1


class Runner:
    """Starts jobs as slots allow, and hands each outcome to the acker.

    holds: whether the worker's lease lasts, as far as it can know by itself. One that was frozen
        starts nothing of what it had in hand: others may have it by now.
    wake: set when a slot was freed and the claimer may want to look.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task[..., Any]],
        queues: Mapping[str, int],
        acker: Acker,
        pools: Pools,
        *,
        holds: Callable[[], bool],
        wake: asyncio.Event,
    ) -> None:
        self.lines = {queue: Line(queue, slots) for queue, slots in queues.items()}
        self.threads = Threads(sum(queues.values()))
        self._tasks = tasks
        self._acker = acker
        self._pools = pools
        self._holds = holds
        self._wake = wake
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._interrupting = False
        self._interrupted = 0
        # Each job starts from the worker's context, whatever the one before it left in its own.
        self._context = copy_context()
        self._idle = asyncio.Event()
        self._idle.set()
        self._next_check: asyncio.TimerHandle | None = None

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._running)

    def wanted(self, round_trip_seconds: float) -> dict[str, int]:
        """How many jobs to claim of each queue that has room."""
        limits = {queue: line.wanted(round_trip_seconds) for queue, line in self.lines.items()}
        return {queue: limit for queue, limit in limits.items() if limit > 0}

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
        waiting = (job for line in self.lines.values() for job in line.buffer)
        return {(job.id, job.lease) for job in chain(self._running.values(), waiting)}

    def hand_back_unstarted(self) -> None:
        """Give back what is in hand and not started; the attempts are not counted."""
        for line in self.lines.values():
            self._hand_back(line)

    async def finished(self) -> None:
        """Wait until no job runs."""
        await self._idle.wait()

    async def interrupt(self) -> int:
        """Stop what runs and hand it back at once. Gives how many jobs were handed back.

        A thread cannot be stopped: its job is handed back, and the thread's own end is ignored.
        """
        self._interrupting = True
        stopped = list(self._running)
        for task in stopped:
            task.cancel()
        if stopped:
            # One that swallows its cancellation is left behind; its ack would be refused anyway.
            await asyncio.wait(stopped, timeout=1.0)
        for job in self._running.values():
            self._acker.not_completed(job, self._interruption())
        return self._interrupted

    def _hand_back(self, line: Line) -> None:
        while line.buffer:
            self._acker.not_completed(line.buffer.popleft(), Verdict(Kind.HANDED_BACK, refund=True))

    def _start(self, line: Line, job: Claimed) -> None:
        line.running += 1
        task = _begin(self._attempt(line, job), self._context.copy())
        if not task.done():
            self._running[task] = job
            self._idle.clear()
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not self._running:
            self._idle.set()

    async def _attempt(self, line: Line, job: Claimed) -> None:
        began = perf_counter()
        task = self._tasks[job.task]
        attempt = Attempt(job, self._pools, began, history=task.history)
        current_attempt.set(attempt)
        try:
            args, kwargs = task.signature.decode(job.args)
            if task.is_async:
                await task.function(*args, **kwargs)
            else:
                await self.threads.call(task.function, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - ends this attempt, nothing else
            self._failed(task, attempt, error, perf_counter() - began)
        else:
            if attempt.overruled is not None:
                self._failed(task, attempt, attempt.overruled, perf_counter() - began)
            elif not attempt.completed:
                self._acker.completed(job, perf_counter() - began, keep=task.history)
        finally:
            line.running -= 1
            line.measure(perf_counter() - began)
            self._fill(line)
            self._wake.set()

    def _fill(self, line: Line) -> None:
        """Start what is in hand while slots are free."""
        if line.filling:
            return  # a job that ended before its start returned; the loop below goes on
        line.filling = True
        while line.buffer and line.running < line.concurrency and self._holds():
            self._start(line, line.buffer.popleft())
        line.filling = False

    def _failed(
        self, task: Task[..., Any], attempt: Attempt, error: BaseException, seconds: float
    ) -> None:
        job = attempt.job
        secrets = secret_texts(job.args, task.signature.secrets)
        if attempt.completed:
            what = _named(error, secrets)
            log.error("job %s %s: completed, but then raised %s", job.task, job.id, what)
            return
        error = attempt.overruled or error
        if isinstance(error, AlreadyProcessed):
            log.info("%s", error)
            self._acker.completed(job, seconds, keep=task.history)
            return
        if isinstance(error, LeaseLost):
            log.warning("%s", error)
            return
        if self._interrupting and not isinstance(error, Snooze | Cancel | Retry):
            # Whatever it made of its cancellation, it was our doing.
            verdict = self._interruption()
        elif isinstance(error, PartlyCommitted):
            verdict = Verdict(Kind.DEAD, error=error)
        else:
            verdict = judge(
                error,
                attempt=job.attempt,
                max_attempts=job.max_attempts,
                retry=task.retry,
                chance=random.random(),  # noqa: S311 - jitter
            )
        verdict = replace(verdict, secrets=secrets)
        self._acker.not_completed(job, verdict)
        _log_failure(job, verdict, error, seconds)

    def _interruption(self) -> Verdict:
        self._interrupted += 1
        error = Interrupted("the worker stopped before the job was done")
        return Verdict(Kind.HANDED_BACK, refund=True, error=error)

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


def _begin(attempt: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
    """Start `attempt` as a task in `context`; it runs to its first wait at once if it can."""
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        return asyncio.Task(attempt, loop=loop, context=context, eager_start=True)
    return loop.create_task(attempt, context=context)


WORDS = {
    Kind.RETRIED: "to be tried again",
    Kind.SNOOZED: "snoozed",
    Kind.HANDED_BACK: "handed back",
    Kind.CANCELLED: "cancelled",
    Kind.DEAD: "a dead letter now",
}
LEVELS = {Kind.DEAD: logging.ERROR, Kind.SNOOZED: logging.INFO, Kind.CANCELLED: logging.INFO}


def _log_failure(job: Claimed, verdict: Verdict, error: BaseException, seconds: float) -> None:
    """Write the one line of an attempt that did not complete."""
    attempt = f"attempt {job.attempt}/{job.max_attempts}"
    again = f"; again in {verdict.delay_seconds:.1f} s" if verdict.delay_seconds else ""
    log.log(
        LEVELS.get(verdict.kind, logging.WARNING),
        "job %s %s %s ended after %.3f s, %s: %s%s",
        *(job.task, job.id, attempt, seconds, WORDS[verdict.kind]),
        *(_named(error, verdict.secrets), again),
    )


def _named(error: BaseException, secrets: Sequence[str]) -> str:
    """Give an error's type and message; the message is user code's, and may raise anything."""
    try:
        text = hide(one_line(error), secrets)[:300]
    except BaseException:  # noqa: BLE001 - an exception's own __str__ may raise anything
        text = "<unreadable>"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
