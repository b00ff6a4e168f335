"""Running one job after another in the main thread of a child."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import Any, NoReturn

from jobqueue.client.context import Attempt, current_attempt, current_resources
from jobqueue.client.queue import JobQueue
from jobqueue.client.task import Task
from jobqueue.client.transaction_source import Pools
from jobqueue.core.outcome import Interrupted, Kind
from jobqueue.store.claims import Claimed
from jobqueue.worker.around_attempt import run_coroutine, run_plain
from jobqueue.worker.ending import result_text
from jobqueue.worker.lifespans import Lifespans
from jobqueue.worker.processes.ending import ended
from jobqueue.worker.processes.interrupts import Interrupts
from jobqueue.worker.processes.messages import Fields
from jobqueue.worker.processes.output import Output

TOLD = "it was told to stop"
# The worker kills a child that takes longer to leave than processes.child_process.LEAVE_SECONDS.
CLOSE_SECONDS = 3.0
# What the child goes by, and what would strike a later job: a timer's end, a child's end.
GUARDED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGALRM,
    signal.SIGCHLD,
    signal.SIGHUP,
    signal.SIGPIPE,
)


class ChildAttempt(Attempt):
    """One run of a job in a child process. number: of the job, within the child.

    A plain function has no event loop: `async with` transaction() is refused, as in a thread.
    """

    __slots__ = ("number",)

    def __init__(
        self, job: Claimed, pools: Pools, number: int, output: Output, *, history: bool
    ) -> None:
        def report(_: Claimed, fraction: float, message: str) -> None:
            output.say("progress", number, fraction, message)

        super().__init__(job, pools, perf_counter(), report, history)
        self.number = number


class Attempts:
    """Runs jobs, and keeps each from what the one before it left behind.

    An event loop is made for the lifespans or the first coroutine and kept for the others, so that
    what an application opens on it (an engine's connections) stays usable.
    """

    def __init__(
        self,
        jobs: JobQueue,
        pools: Pools,
        interrupts: Interrupts,
        output: Output,
    ) -> None:
        self._tasks = jobs.tasks
        self._lifespans = Lifespans(jobs.hooks.lifespans, CLOSE_SECONDS)
        self._resources_lost = False
        self._pools = pools
        self._interrupts = interrupts
        self._output = output
        self._context = copy_context()
        self._context.run(current_resources.set, self._lifespans.resources)
        self._loop: asyncio.Runner | None = None
        self._pid = os.getpid()
        self._handlers = {number: signal.getsignal(number) for number in GUARDED}
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._running: ChildAttempt | None = None

    def open(self) -> None:
        """Open the application's resources. Raises LifespanError."""
        if self._lifespans.any:
            self._event_loop().run(self._lifespans.enter())

    def run(self, number: int, job: Claimed, *, wants_result: bool) -> tuple[Fields, bool]:
        """Run a job; say how it ended, and whether the child is fit for another."""
        began = perf_counter()
        task = self._tasks.get(job.task)
        if task is None:
            # Another release than the worker's. One that has the task may be elsewhere.
            return {"kind": Kind.HANDED_BACK, "refund": True, "delay_seconds": 1.0}, True
        self._output.begin(job)
        attempt = ChildAttempt(job, self._pools, number, self._output, history=task.history)
        fields, fit = self._context.copy().run(self._attempt, task, attempt, wants_result)
        self._output.end()
        fields["seconds"] = perf_counter() - began
        return fields, fit

    def cancelled(self, number: int) -> None:
        """Note that the job is to stop, if it is the one that runs."""
        attempt = self._running
        if attempt is not None and attempt.number == number:
            attempt.stopped = Interrupted(TOLD)

    def close(self) -> None:
        """Close the resources and the event loop: what coroutines left on it is cancelled."""
        runner, self._loop = self._loop, None
        if runner is None:
            return
        left = 0
        if self._lifespans.open:
            self._resources_lost = True
            left = runner.run(self._lifespans.leave())
        if not left:  # it would be waited for
            runner.close()

    def _event_loop(self) -> asyncio.Runner:
        if self._loop is None or self._loop.get_loop().is_closed():
            self._loop = asyncio.Runner()
        return self._loop

    def _attempt(
        self,
        task: Task[..., Any],
        attempt: ChildAttempt,
        wants_result: bool,  # noqa: FBT001
    ) -> tuple[Fields, bool]:
        current_attempt.set(attempt)
        self._running = attempt
        error: BaseException | None = None
        result: str | None = None
        try:
            try:
                way = self._coroutine if task.is_async else self._plain
                value = way(attempt, self._call(task, attempt))
                if wants_result:
                    result = result_text(task.name, value)
            finally:
                self._interrupts.end()
                self._restore_signals()
        except BaseException as raised:  # noqa: BLE001 - ends this attempt, nothing else
            error = raised
        if os.getpid() != self._pid:
            _leave(error)
        self._restore_signals()  # once more: one may have come in the middle of it
        self._running = None
        interrupted = self._interrupts.was_asked(attempt.number)
        if interrupted:
            attempt.stopped = Interrupted(TOLD)
        fields = ended(task, attempt, error)
        if result is not None and error is None:
            fields["result"] = result
        # An exception from outside may have left anything half done, and so may want of memory.
        spoilt = interrupted or self._resources_lost or isinstance(error, MemoryError)
        return fields, not spoilt

    def _call(self, task: Task[..., Any], attempt: ChildAttempt) -> Callable[[], Any]:
        """Give what runs the task, within the hooks there are."""
        hooks = task.hooks.attempts if task.is_async else task.hooks.plain_attempts
        if hooks:
            run = run_coroutine if task.is_async else run_plain
            return partial(run, task, attempt, partial(self._interrupts.was_asked, attempt.number))
        args, kwargs = task.signature.decode(attempt.job.args)
        return partial(task.function, *args, **kwargs)

    def _plain(self, attempt: ChildAttempt, call: Callable[[], Any]) -> Any:  # noqa: ANN401
        self._interrupts.begin(attempt.number)
        value = call()
        if inspect.iscoroutine(value):
            value.close()
            raise TypeError("returned a coroutine that nobody runs; make the task async def")
        return value

    def _coroutine(self, attempt: ChildAttempt, call: Callable[[], Any]) -> Any:  # noqa: ANN401
        runner = self._event_loop()
        loop = attempt.loop = runner.get_loop()

        async def guarded() -> tuple[Any, BaseException | None]:
            running = asyncio.current_task()
            assert running is not None  # noqa: S101 - it is this one

            def cancel() -> None:
                loop.call_soon_threadsafe(running.cancel)

            # The error travels as a value: some, like SystemExit, would end the event loop.
            try:
                self._interrupts.begin(attempt.number, cancel)
                return await call(), None
            except BaseException as raised:  # noqa: BLE001 - handed on
                return None, raised

        try:
            value, error = runner.run(guarded(), context=copy_context())
        except BaseException:
            # The loop was stopped under the job's feet, and holds what is left of it.
            self._interrupts.end()
            self.close()
            raise
        if error is not None:
            raise error
        return value

    def _restore_signals(self) -> None:
        """Take back what a job did to signals: its handlers, its timer, its mask."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _leave(error: BaseException | None) -> NoReturn:
    """End a process that the job forked and that came back from its function."""
    code = 0
    with suppress(BaseException):
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        elif error is not None:
            code = 1
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
