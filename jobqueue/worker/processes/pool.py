"""The pool: which child process runs which job."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from jobqueue import __version__
from jobqueue.core.outcome import Interrupted, Kind, describe
from jobqueue.store.claims import Claimed
from jobqueue.worker.processes.calls import Call, ProcessDied
from jobqueue.worker.processes.child_process import (
    AHEAD_SECONDS,
    MOST_PENDING,
    ChildProcess,
)
from jobqueue.worker.processes.messages import Limits, Outcome, Setup
from jobqueue.worker.processes.output_reader import OutputReader

log = logging.getLogger("jobqueue.worker")

# A job whose process is busy with another for so long is taken back, if it has not begun.
LONGEST_WAIT_SECONDS = 0.05
# Weight of the newest measurement in a running mean.
NEWEST = 0.1
# What a job of a task is expected to take of which none has run.
UNKNOWN_SECONDS = 1.0
# How long a child may outlive its worker: others have its job soon.
LONGEST_ORPHAN_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


def processors() -> int:
    """Give how many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Processes:
    """Runs jobs in child processes, made when there is work for them, at most `size` at a time.

    application, imports: as for `load_application`; each child loads it once.
    size: one for each processor if None.
    database_url: for the transactions of jobs; the JobQueue's own if None.
    pooled: that URL leads through a pooler in transaction mode.
    lease_ends: gives until when jobs may begin, by `clock`; None: at any time. A child is not
        frozen with its worker, and would begin what others have by then.
    """

    def __init__(
        self,
        application: str,
        imports: Iterable[str] = (),
        *,
        size: int | None = None,
        database_url: str | None = None,
        pooled: bool = False,
        limits: Limits | None = None,
        lease_ends: Callable[[], float] | None = None,
    ) -> None:
        self.size = processors() if size is None else size
        self._application = application
        self._imports = list(imports)
        self._database_url = database_url
        self._pooled = pooled
        self._limits = limits or Limits()
        self._lease_ends = lease_ends
        self._children: set[ChildProcess] = set()
        self._outputs: set[OutputReader] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._waiting: deque[Call] = deque()
        self._seconds: dict[str, float] = {}
        self._will_fill = False
        self._next_look: asyncio.TimerHandle | None = None
        self._next_try: asyncio.TimerHandle | None = None
        self._failures = 0
        self._said: str = ""  # of why no child can be started
        self._closed = False
        self.lost = 0
        """how many children died with a job in them"""

    @property
    def idle(self) -> int:
        """How many more jobs would have a process of their own."""
        busy = sum(1 for child in self._children if child.pending)
        return max(0, self.size - busy - len(self._waiting))

    def most(self, task: str) -> int:
        """How many jobs may be here at once for one of this task to begin soon.

        Short ones wait for each other, but for none that is long.
        """
        if not self._is_short(task):
            return self.size
        held = sum(
            1
            for child in self._children
            if child.pending and not self._is_short(child.pending[0].job.task)
        )
        return held + max(0, self.size - held) * MOST_PENDING

    async def call(
        self,
        job: Claimed,
        *,
        wants_result: bool = False,
        on_time_until: float | None = None,
        on_begin: Callable[[], None] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
    ) -> Outcome:
        """Run a job, and give how it ended. One that no child can run comes back as handed back.

        Cancelled, it stops the job: by an exception in it, and by SIGKILL if that does not help
        within `interrupt_seconds`. A job that ends by its own all the same has its outcome given.

        on_time_until: by `clock`; one that no child begins until then comes back as handed back.
        on_begin: called when the job begins; again, if it is then found not to have begun.
        on_progress: called with a fraction and some words when the job says how far it is.
        Raises ProcessDied if the process died with the job in it.
        """
        if self._closed:
            raise RuntimeError("processes: the pool is closed")
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        call = Call(job, wants_result, ended, on_begin, on_progress, on_time_until)
        self._waiting.append(call)
        self._fill_soon()
        try:
            await ended
        except asyncio.CancelledError:
            await self._stop(call)
        return call.outcome()

    def cancelled(self, job: Claimed) -> None:
        """Tell a job, if it runs, that it is to stop; it is not stopped by that alone."""
        for child in self._children:
            for call in child.pending:
                if call.job.id == job.id and call.job.lease == job.lease:
                    child.cancelled(call)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """End all children, when what runs has ended or the grace time has.

        Jobs that have not begun are handed back; those that run on then are stopped, and handed
        back too.
        """
        self._closed = True
        for timer in (self._next_look, self._next_try):
            if timer is not None:
                timer.cancel()
        self._hand_back_waiting(0.0)
        await asyncio.gather(*self._starting)
        children = list(self._children)
        for child in children:
            self.gives_back(child.recall())
            child.leave()
        await self._running_ended(grace_seconds)
        for child in children:
            if child.pending:
                child.interrupt(child.pending[0])  # it is killed if that does not help
        await asyncio.gather(*(child.gone.wait() for child in children))
        for output in self._outputs:
            output.close()

    def is_ready(self, child: ChildProcess) -> None:  # noqa: ARG002 - it is among the children
        """Give it work."""
        if self._failures:
            log.info("processes: %s can be loaded again", self._application)
        self._failures = 0
        self._said = ""
        self._fill_soon()

    def has_ended(self, call: Call, how: Outcome) -> None:
        """Hand on how a job ended, and give its child another."""
        if how.seconds:  # it has begun
            self._measure(call.job.task, how.seconds)
        call.end(how)
        self._fill_soon()

    def gives_back(self, unbegun: Sequence[Call]) -> None:
        """Give jobs to other children, before those that came later."""
        if self._closed:
            for call in unbegun:
                call.end(_handed_back(0.0))
            return
        self._waiting.extendleft(reversed(unbegun))
        self._fill_soon()

    def is_gone(
        self, child: ChildProcess, begun: Sequence[Call], unbegun: Sequence[Call], how: str
    ) -> None:
        """Say what became of its jobs; with no child to start anew, of all others too."""
        self._children.discard(child)
        self.lost += bool(begun) and not self._closed
        for call in begun:
            call.end(_interrupted() if self._closed else ProcessDied(how, child.output.tail))
        self.gives_back(unbegun)
        if not child.ready and not self._closed:
            self._could_not_start(child, how)

    async def _stop(self, call: Call) -> None:
        """Stop a job, and wait for its end. Raises CancelledError unless that was its own."""
        if call.how is not None:
            return  # it ended at this very moment
        if call in self._waiting:
            self._waiting.remove(call)
        if call.child is None:
            raise asyncio.CancelledError
        child = call.child
        unbegun = child.recall()
        self.gives_back([one for one in unbegun if one is not call])
        if call in unbegun:
            raise asyncio.CancelledError
        child.interrupt(call)
        call.ended = asyncio.get_running_loop().create_future()
        try:
            await call.ended
        except asyncio.CancelledError:
            child.kill("was in the way of who stopped its job")
            raise
        try:
            interrupted = call.outcome().interrupted
        except ProcessDied:
            raise asyncio.CancelledError from None
        if interrupted:
            raise asyncio.CancelledError

    async def _running_ended(self, seconds: float) -> None:
        running = {call.ended for child in self._children for call in child.pending}
        if running:
            await asyncio.wait(running, timeout=seconds)

    def _fill_soon(self) -> None:
        """Give out work after all that happens now has happened, so that much goes at once."""
        if not self._will_fill and not self._closed:
            self._will_fill = True
            asyncio.get_running_loop().call_soon(self._fill)

    def _fill(self) -> None:
        self._will_fill = False
        given: set[ChildProcess] = set()
        lease_ends = None if self._lease_ends is None else self._lease_ends()
        while self._waiting:
            child = min(
                (one for one in self._children if one.has_room),
                key=lambda one: len(one.pending),
                default=None,
            )
            if child is None:
                break
            call = self._waiting.popleft()
            if call.ended.done():
                continue  # cancelled at this very moment
            given_until = (one for one in (lease_ends, call.on_time_until) if one is not None)
            call.begins_until = min(given_until, default=None)
            child.add(call, self._seconds.get(call.job.task, UNKNOWN_SECONDS))
            given.add(child)
        for child in given:
            child.flush()
        self._start_what_is_needed()
        self._watch()

    def _is_short(self, task: str) -> bool:
        return self._seconds.get(task, UNKNOWN_SECONDS) <= AHEAD_SECONDS

    def _measure(self, task: str, seconds: float) -> None:
        mean = self._seconds.get(task)
        self._seconds[task] = seconds if mean is None else mean + NEWEST * (seconds - mean)

    def _start_what_is_needed(self) -> None:
        if self._next_try is not None or self._closed:
            return
        usable = [child for child in self._children if not child.used_up]
        coming = sum(1 for child in usable if not child.ready)
        needed = min(self.size - len(usable), len(self._waiting) - coming)
        if self._failures:
            needed = min(needed, 1 - coming)
        for _ in range(needed):
            child = ChildProcess(self, self._setup(), self._limits)
            self._children.add(child)
            task = asyncio.create_task(self._start(child))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    def _setup(self) -> Setup:
        return Setup(
            release=__version__,
            application=self._application,
            imports=self._imports,
            path=list(sys.path),
            database_url=self._database_url,
            pooled=self._pooled,
            log_level=logging.getLogger().getEffectiveLevel(),
            max_memory_bytes=self._limits.max_memory_bytes,
            memory_limit_bytes=self._limits.memory_limit_bytes,
            orphan_seconds=min(self._limits.interrupt_seconds, LONGEST_ORPHAN_SECONDS),
        )

    async def _start(self, child: ChildProcess) -> None:
        try:
            await child.start()
        except (OSError, RuntimeError) as error:  # no process, or no thread to wait for it
            child.kill("could not be started")
            self._children.discard(child)
            child.gone.set()
            self._could_not_start(child, f"could not be started: {error}")
        else:
            self._outputs = {one for one in self._outputs if one.open} | {child.output}
            if self._closed:
                child.kill("was not needed any more")

    def _could_not_start(self, child: ChildProcess, how: str) -> None:
        """Try again later, and later still; say why once. With no child hand back what waits."""
        if self._next_try is not None:
            return  # one that was started together with another that failed
        pause = min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures += 1
        why = _why(child, how)
        log.log(
            logging.DEBUG if why == self._said else logging.ERROR,
            "processes: %s cannot be loaded in a child process; trying again in %g s, then less "
            "often: %s",
            *(self._application, pause, why),
        )
        self._said = why
        self._next_try = asyncio.get_running_loop().call_later(pause, self._try_again)
        if not any(child.ready for child in self._children):
            self._hand_back_waiting(pause)

    def _try_again(self) -> None:
        self._next_try = None
        self._fill_soon()

    def _hand_back_waiting(self, delay_seconds: float) -> None:
        while self._waiting:
            self._waiting.popleft().end(_handed_back(delay_seconds))

    def _watch(self) -> None:
        """Look again soon, if a job waits behind another."""
        if self._next_look is not None:
            return
        behind = 0 if self._waiting else 1
        heads = {child: child.pending[0] for child in self._children if len(child.pending) > behind}
        if heads:
            loop = asyncio.get_running_loop()
            self._next_look = loop.call_later(LONGEST_WAIT_SECONDS, self._look, heads)

    def _look(self, heads: dict[ChildProcess, Call]) -> None:
        """Take back what waits behind a job that was running at the last look already.

        When every child has such a job, what waits is for other workers.
        """
        self._next_look = None
        long: set[ChildProcess] = set()
        for child, head in heads.items():
            if child.pending and child.pending[0] is head:
                long.add(child)
                elapsed = asyncio.get_running_loop().time() - child.head_since
                mean = self._seconds.get(head.job.task, 0.0)
                self._seconds[head.job.task] = max(mean, elapsed)
                self.gives_back(child.recall())
        if self._children and self._children <= long:
            self._hand_back_waiting(0.0)
        self._watch()


def _why(child: ChildProcess, how: str) -> str:
    if child.problem is None:
        tail = "" if child.pid == 0 else "\n".join(child.output.tail)
        return f"it {how}\n{tail}".rstrip()
    problem = child.problem
    kind = problem.get("error")
    said = f"{kind}: {problem['message']}" if kind else problem["message"]
    return f"{said}\n{problem.get('traceback', '')}".rstrip()


def _handed_back(delay_seconds: float) -> Outcome:
    return Outcome(Kind.HANDED_BACK, delay_seconds=delay_seconds, refund=True)


def _interrupted() -> Outcome:
    error = describe(Interrupted("the worker stopped before the job was done"))
    return Outcome(Kind.HANDED_BACK, refund=True, error=error, interrupted=True)
