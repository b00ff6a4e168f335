"""Settle requests to cancel that came when their job no longer ran."""

from __future__ import annotations

from jobqueue.store import maintenance
from jobqueue.worker.link import Link

PAUSE_SECONDS = 5.0


async def cancel(session: Link) -> float:
    """Cancel what waits again although it is to be cancelled."""
    await session.run(maintenance.cancel_asked())
    return PAUSE_SECONDS
