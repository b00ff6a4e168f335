"""Cancel jobs that have not started by their deadline."""

from __future__ import annotations

from jobqueue.store import maintenance
from jobqueue.worker.link import Link

BATCH = 1_000
# A job may be enqueued whose deadline is before the one we wait for. It starts no more then, since
# workers look at deadlines by themselves; it only stands in the books a little longer.
LONGEST_PAUSE_SECONDS = 2.0


async def expire(session: Link) -> float:
    """Cancel a batch. Returns at once to the next while there is more."""
    [expired] = await session.run(maintenance.expire(BATCH))
    if expired.jobs >= BATCH:
        return 0.0
    if expired.next_seconds is None:
        return LONGEST_PAUSE_SECONDS
    return min(max(expired.next_seconds, 0.0), LONGEST_PAUSE_SECONDS)
