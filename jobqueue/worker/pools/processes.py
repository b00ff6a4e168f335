"""The pool for tasks that need a process of their own: child processes of the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.outcome import Kind
from jobqueue.store.claims import Claimed
from jobqueue.worker.ending import SETTLED, Ending, raised
from jobqueue.worker.processes import Processes


class ChildProcesses:
    """Runs attempts in child processes, where each is judged.

    begun: called when an attempt begins, which may be some time after it was sent to a child.
    on_time_until: gives when the moment of a job is over, by `clock`; None if it has none.
    """

    sure = True
    tells_begin = True

    def __init__(
        self,
        processes: Processes,
        begun: Callable[[Attempt], None],
        on_time_until: Callable[[Claimed], float | None],
    ) -> None:
        self._processes = processes
        self._begun = begun
        self._on_time_until = on_time_until

    @property
    def lost(self) -> int:
        """How many children died with a job in them."""
        return self._processes.lost

    def most(self, task: Task[..., Any]) -> int:
        """How many may be here at once: one for each child, or more if they are short."""
        return self._processes.most(task.name)

    async def run(self, task: Task[..., Any], attempt: Attempt) -> Ending:
        """Run an attempt and say how it ended."""
        try:
            outcome = await self._processes.call(
                attempt.job,
                wants_result=task.returns,
                on_time_until=self._on_time_until(attempt.job),
                on_begin=partial(self._begun, attempt),
                on_progress=partial(attempt.report, attempt.job),
            )
        except BaseException as error:  # noqa: BLE001 - ends this attempt, nothing else
            return raised(task, attempt, error)
        if outcome.kind is Kind.COMPLETED:
            return Ending(result=outcome.result, settled=outcome.settled)
        return SETTLED if outcome.settled else Ending(outcome.verdict)

    def stop(self, running: asyncio.Task[None], attempt: Attempt) -> None:
        """Tell the job why, and stop it: by a signal, and by SIGKILL if that does not help."""
        self._processes.cancelled(attempt.job)
        running.cancel()

    async def close(self) -> None:
        """End all children; what runs in them is stopped, and then killed."""
        await self._processes.close()
