"""Make due jobs available."""

from __future__ import annotations

from jobqueue.store import maintenance
from jobqueue.worker.link import Link

BATCH = 1_000
# A job may be enqueued that is due before the one we wait for.
LONGEST_PAUSE_SECONDS = 0.5


async def promote(session: Link) -> float:
    """Promote a batch. Returns at once to the next while there is more, else when one is due."""
    [promoted] = await session.run(maintenance.promote(BATCH))
    if promoted.jobs >= BATCH:
        return 0.0
    if promoted.next_seconds is None:
        return LONGEST_PAUSE_SECONDS
    return min(max(promoted.next_seconds, 0.0), LONGEST_PAUSE_SECONDS)
