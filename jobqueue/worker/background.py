"""Coroutines that run beside others."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from contextlib import suppress
from typing import Any

# Code of others may swallow a cancellation. A worker does not hang on that.
CANCEL_AGAIN_SECONDS = 1.0


async def first_of(*waits: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Wait for the first of `waits`, at most so long."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def is_set(event: asyncio.Event, *, seconds: float) -> bool:
    """Wait for `event` at most so long; False if it was not set in time.

    Not `asyncio.wait_for`: up to Python 3.11 that keeps to itself a cancellation that comes
    together with what it waits for, and a loop around it would never end.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel `tasks`, again where they carry on, until all have ended."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)


class Background:
    """Runs coroutines beside the body, and cancels them after it.

    One that fails takes the worker down with its error: a worker without its heartbeat or its
    acks must not look alive.
    """

    def __init__(self, work: Sequence[Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: BaseException | None = None

    async def __aenter__(self) -> None:
        body = asyncio.current_task()
        assert body is not None  # noqa: S101 - a coroutine always runs in a task

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._failed = self._failed or error
                body.cancel()

        for work in self._work:
            task = asyncio.create_task(work)
            task.add_done_callback(ended)
            self._tasks.append(task)

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        if self._failed is not None:
            raise self._failed
