"""Decide about jobs about which nothing could be decided when it was asked.

Their key was held by another open transaction, or they were to be cancelled and ran just then.
"""

from __future__ import annotations

from jobqueue.store import maintenance
from jobqueue.worker.link import Link

BATCH = 100
PAUSE_SECONDS = 1.0


async def settle(session: Link) -> float:
    """Settle a batch. What is still held is looked at again after the pause."""
    [settled] = await session.run(maintenance.settle(BATCH))
    await session.run(maintenance.cancel_asked())
    return 0.0 if settled >= BATCH else PAUSE_SECONDS
