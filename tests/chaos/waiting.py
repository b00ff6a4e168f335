"""Waiting for something to become true, on the event loop and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

LOOK_SECONDS = 0.05


async def until(
    condition: Callable[[], Awaitable[bool] | bool],
    *,
    what: str,
    seconds: float,
    every_seconds: float = LOOK_SECONDS,
) -> None:
    """Ask again and again until `condition` holds. Raises TimeoutError that says `what` did not."""
    deadline = monotonic() + seconds
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return
        if monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(every_seconds)
