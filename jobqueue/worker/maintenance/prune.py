"""Drop old history, and make the partitions that new history goes to."""

from __future__ import annotations

import psycopg

from jobqueue.store import maintenance
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance.leader import Duty

PAUSE_SECONDS = 3_600.0
READ_MEANWHILE_SECONDS = 60.0


def prune(history_days: int) -> Duty:
    """Give the duty that keeps `history_days` days of history."""

    async def duty(session: Link) -> float:
        try:
            await session.run(maintenance.forget_expirations(history_days))
            await session.run(maintenance.make_partitions())
            await session.run(maintenance.drop_partitions(history_days))
        except psycopg.errors.LockNotAvailable:
            # Somebody reads the history. Every ack would wait behind us: rather later.
            return READ_MEANWHILE_SECONDS
        return PAUSE_SECONDS

    return duty
