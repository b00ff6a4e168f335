"""Drop old history, and make the partitions that new history goes to."""

from __future__ import annotations

from jobqueue.store import maintenance
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance.leader import Duty

PAUSE_SECONDS = 3_600.0


def prune(history_days: int) -> Duty:
    """Give the duty that keeps `history_days` days of history."""

    async def duty(session: Link) -> float:
        await session.run(maintenance.make_partitions())
        await session.run(maintenance.drop_partitions(history_days))
        return PAUSE_SECONDS

    return duty
