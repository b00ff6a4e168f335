"""Forget processed ids and keys whose retention is over, in small steps."""

from __future__ import annotations

from jobqueue.store import maintenance
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance.leader import Duty

BATCH = 1_000
BETWEEN_STEPS_SECONDS = 0.1
PAUSE_SECONDS = 60.0


def forget(processed_days: int) -> Duty:
    """Give the duty that keeps processed ids for `processed_days` days."""

    async def duty(session: Link) -> float:
        [gone] = await session.run(maintenance.forget(processed_days, BATCH))
        return BETWEEN_STEPS_SECONDS if gone >= BATCH else PAUSE_SECONDS

    return duty
