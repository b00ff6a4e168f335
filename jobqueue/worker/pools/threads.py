"""The pool for plain functions: threads, so that their waiting does not stop the event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.outcome import NotBegun
from jobqueue.store.claims import Claimed
from jobqueue.worker.around_attempt import run_plain
from jobqueue.worker.clock import clock
from jobqueue.worker.containment import forked
from jobqueue.worker.ending import Ending, raised, returned

Result = tuple[Any, BaseException | None]
"""What a function returned, or what it raised."""

TOO_LATE = "the worker's lease was in doubt before the job began, or its moment was over"
NO_COROUTINE = "returned a coroutine that nobody runs; make the task async def"


class Call:
    """A function on its way through the pool. ended: resolved with what it returned or raised."""

    __slots__ = (
        "args", "context", "ended", "function", "given_up", "kwargs", "loop", "may_begin",
        "on_time_until",
    )  # fmt: skip

    def __init__(
        self,
        function: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        may_begin: Callable[[], bool],
        on_time_until: float | None,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.may_begin = may_begin
        self.on_time_until = on_time_until
        self.context = copy_context()
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Result] = self.loop.create_future()
        self.given_up = False

    def run(self) -> Result:
        """Call the function. Its error is a value: some, StopIteration for one, cannot cross."""
        # The worker may have been frozen while this was on its way, or busy with other threads.
        if not self.may_begin() or (
            self.on_time_until is not None and clock() > self.on_time_until
        ):
            return None, NotBegun(TOO_LATE)
        try:
            value = self.context.run(self.function, *self.args, **self.kwargs)
            # To look at it is the application's code as well: a proxy may raise what it likes.
            if not inspect.iscoroutine(value):
                return value, None
            value.close()
        except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
            return None, error
        return None, TypeError(NO_COROUTINE)


class Threads:
    """Runs functions in threads, each with a copy of the caller's context variables.

    Those that end while the event loop is busy are told to it together, which is what makes many
    short ones cheap: a standard executor wakes the loop for each.

    most: threads; they are started when they are needed.
    limited: whether there are fewer than there may be jobs at once.
    may_begin: whether a function that is on its way may still begin; asked in its thread.
    on_time_until: gives when the moment of a job is over, by `clock`; None if it has none.
    """

    sure = False
    tells_begin = False

    def __init__(
        self,
        most: int,
        *,
        limited: bool = False,
        may_begin: Callable[[], bool],
        on_time_until: Callable[[Claimed], float | None] = lambda _: None,
    ) -> None:
        self._most = most
        self._limited = limited
        self._may_begin = may_begin
        self._on_time_until = on_time_until
        self._waiting: SimpleQueue[Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._busy = 0
        self._lock = threading.Lock()
        self._done: list[tuple[Call, Result]] = []

    @property
    def busy(self) -> int:
        """Threads in which a function still runs, also one nobody waits for any more."""
        return self._busy

    def most(self, task: Task[..., Any]) -> int | None:  # noqa: ARG002 - as every pool
        """How many may be here at once."""
        return self._most if self._limited else None

    async def run(self, task: Task[..., Any], attempt: Attempt) -> Ending:
        """Run an attempt and say how it ended."""
        try:
            until = self._on_time_until(attempt.job)
            if task.hooks.plain_attempts:
                value = await self.call(run_plain, [task, attempt], {}, until)
            else:
                args, kwargs = task.signature.decode(attempt.job.args)
                value = await self.call(task.function, args, kwargs, until)
            return returned(task, attempt, value)
        except BaseException as error:  # noqa: BLE001 - ends this attempt, nothing else
            return raised(task, attempt, error)

    def stop(self, running: asyncio.Task[None], attempt: Attempt) -> None:
        """Do nothing: a thread cannot be stopped, it sees at its next checkpoint that it is to."""

    async def call(
        self,
        function: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        on_time_until: float | None = None,
    ) -> Any:  # noqa: ANN401 - whatever it returns
        """Run `function` and give what it returns. Raises what it raises."""
        call = Call(function, args, kwargs, self._may_begin, on_time_until)
        self._unfinished += 1
        if self._unfinished > len(self._threads) < self._most:
            self._start_thread()
        self._waiting.put(call)
        try:
            value, error = await call.ended
        except asyncio.CancelledError:
            with self._lock:
                call.given_up = True  # it does not begin any more, if it has not
            raise
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the threads end when they are done; wait for none."""
        for _ in self._threads:
            self._waiting.put(None)

    def _start_thread(self) -> None:
        name = f"jobqueue_{len(self._threads)}"
        # One that never ends does not keep the process from ending.
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while (call := self._waiting.get()) is not None:
            with self._lock:
                given_up = call.given_up
                self._busy += not given_up
            result = (None, None) if given_up else call.run()
            forked.leave()
            with self._lock:
                self._busy -= not given_up
                first = not self._done
                self._done.append((call, result))
            if first:
                with suppress(RuntimeError):  # the event loop is closed
                    call.loop.call_soon_threadsafe(self._tell)
            del call, result  # what it held is not kept until the next one

    def _tell(self) -> None:
        """Hand on, on the event loop, what has ended."""
        with self._lock:
            done, self._done = self._done, []
        self._unfinished -= len(done)
        for call, result in done:
            if not call.ended.done():
                call.ended.set_result(result)
