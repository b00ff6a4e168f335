"""Decide about jobs whose key another open transaction held when they were enqueued."""

from __future__ import annotations

from jobqueue.store import maintenance
from jobqueue.worker.link import Link

BATCH = 100
PAUSE_SECONDS = 1.0


async def settle(session: Link) -> float:
    """Settle a batch. What is still held is looked at again after the pause."""
    [settled] = await session.run(maintenance.settle(BATCH))
    return 0.0 if settled >= BATCH else PAUSE_SECONDS
