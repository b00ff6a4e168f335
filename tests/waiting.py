"""Waiting for a condition, with a deadline: tests never sleep and hope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_SECONDS = 20.0


def until(condition: Callable[[], T], *, what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Call `condition` until it gives something true, and give that; fail with `what` if late."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
    return found


async def auntil(
    condition: Callable[[], T | Awaitable[T]], *, what: str, seconds: float = DEADLINE_SECONDS
) -> T:
    """Do the same on an event loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)
