"""The pool for coroutines: the worker's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.worker.around_attempt import run_coroutine
from jobqueue.worker.containment import forked
from jobqueue.worker.ending import COMPLETED, Ending, raised, returned


class EventLoop:
    """Runs coroutines beside the worker's own; docs/adr/0014 says why, and what contains them."""

    sure = False
    tells_begin = False

    def most(self, task: Task[..., Any]) -> None:
        """How many may be here at once: any number."""

    async def run(self, task: Task[..., Any], attempt: Attempt) -> Ending:
        """Run an attempt and say how it ended."""
        try:
            if task.hooks.attempts:
                value = await run_coroutine(task, attempt)
            else:
                args, kwargs = task.signature.decode(attempt.job.args)
                value = await task.function(*args, **kwargs)
            if forked.here or task.returns or attempt.completed or attempt.overruled is not None:
                forked.leave()
                return returned(task, attempt, value)
        except BaseException as error:  # noqa: BLE001 - ends this attempt, nothing else
            forked.leave()
            return raised(task, attempt, error)
        return COMPLETED

    async def call(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - whatever it returns
        """Run a coroutine function and give what it returns. Raises what it raises."""
        return await function(*args, **kwargs)

    def stop(self, running: asyncio.Task[None], attempt: Attempt) -> None:  # noqa: ARG002
        """Cancel it; a coroutine may swallow that."""
        running.cancel()
