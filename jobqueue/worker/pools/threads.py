"""The pool for plain functions: threads, so that their waiting does not stop the event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.worker.around_attempt import run_plain
from jobqueue.worker.containment import forked
from jobqueue.worker.ending import Ending, raised, returned

NO_COROUTINE = "returned a coroutine that nobody runs; make the task async def"


class Threads:
    """Runs functions in threads, each with a copy of the caller's context variables.

    limited: whether there are fewer than there may be jobs at once.
    """

    sure = False
    tells_begin = False

    def __init__(self, most: int, *, limited: bool = False) -> None:
        self._most = most
        self._limited = limited
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="jobqueue")
        self._busy = 0
        self._counting = threading.Lock()

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
            if task.hooks.plain_attempts:
                value = await self.call(run_plain, [task, attempt], {})
            else:
                args, kwargs = task.signature.decode(attempt.job.args)
                value = await self.call(task.function, args, kwargs)
            return returned(task, attempt, value)
        except BaseException as error:  # noqa: BLE001 - ends this attempt, nothing else
            return raised(task, attempt, error)

    def stop(self, running: asyncio.Task[None], attempt: Attempt) -> None:
        """Do nothing: a thread cannot be stopped, it sees at its next checkpoint that it is to."""

    async def call(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - whatever it returns
        """Run `function` and give what it returns. Raises what it raises."""
        context = copy_context()

        def run() -> tuple[Any, BaseException | None]:
            with self._counting:
                self._busy += 1
            # The error travels as a value: some, like StopIteration, cannot cross a future.
            try:
                result = context.run(function, *args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
                return None, error
            finally:
                forked.leave()
                with self._counting:
                    self._busy -= 1
            if inspect.iscoroutine(result):
                result.close()
                return None, TypeError(NO_COROUTINE)
            return result, None

        result, error = await asyncio.get_running_loop().run_in_executor(self._executor, run)
        if error is not None:
            raise error
        return result

    def close(self) -> None:
        """Let the threads end when they are done; wait for none."""
        self._executor.shutdown(wait=False, cancel_futures=True)
