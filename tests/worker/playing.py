"""Running a worker inside a test, on an event loop that the test owns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from jobqueue import JobQueue
from jobqueue.core.settings import WorkerSettings
from jobqueue.worker.worker import Farewell, Worker

T = TypeVar("T")

# A worker that was told twice to stop has gone by then, whatever it was doing.
LONGEST_STOP_SECONDS = 15.0


def play(scenario: Coroutine[Any, Any, T], *, seconds: float = 60.0) -> T:
    """Run `scenario` on an event loop of its own; one that hangs is a failure."""

    async def limited() -> T:
        async with asyncio.timeout(seconds):
            return await scenario

    return asyncio.run(limited())


class Running:
    """A worker at work, and how to end it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.task = asyncio.create_task(worker.run())

    def stop(self) -> None:
        """Ask it to stop, as a signal does."""
        self.worker.stop()

    async def farewell(self) -> Farewell:
        """Wait for it to go."""
        async with asyncio.timeout(LONGEST_STOP_SECONDS):
            return await asyncio.shield(self.task)

    async def stopped(self) -> Farewell:
        """Ask it to stop, and wait for it to go."""
        self.stop()
        return await self.farewell()


@asynccontextmanager
async def running(
    jobs: JobQueue,
    url: str,
    *,
    queues: dict[str, int] | None = None,
    application: str | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Run a worker beside the body, and stop it in a hurry after it if it still runs."""
    chosen = {"poll_seconds": 0.2, "grace_seconds": 5.0, **settings}
    worker = Worker(
        jobs,
        WorkerSettings(queues=queues or {"default": 10}, **chosen),
        database_url=url,
        application=application,
    )
    it = Running(worker)
    try:
        yield it
    finally:
        it.stop()
        it.stop()
        await it.farewell()
