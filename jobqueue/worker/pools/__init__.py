"""The pools in which user code runs: the event loop, threads, child processes.

Each has the same way to run an attempt, which says how it ended and raises nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.worker.ending import Ending


class Pool(Protocol):
    """Where attempts run.

    sure: whether every attempt here ends when it is told to stop, whatever its code does.
    tells_begin: whether it says by itself when an attempt begins; elsewhere that is at once.
    """

    sure: bool
    tells_begin: bool

    def most(self, task: Task[..., Any]) -> int | None:
        """How many attempts may be here at once for one of this task to begin soon.

        None for as many as there are slots.
        """
        ...

    async def run(self, task: Task[..., Any], attempt: Attempt) -> Ending:
        """Run an attempt, in the context of the calling asyncio task, and say how it ended."""
        ...

    def stop(self, running: asyncio.Task[None], attempt: Attempt) -> None:
        """Make an attempt stop that knows why already. running: what waits for `run`."""
        ...
