"""Take back what dead workers held."""

from __future__ import annotations

import logging
from time import monotonic

from jobqueue.store import maintenance
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

PAUSE_SECONDS = 1.0
# The search for orphans reads the whole table.
ORPHANS_PAUSE_SECONDS = 600.0


class Rescue:
    """Rescues jobs of workers whose lease expired: after the lease at most one second more."""

    def __init__(self) -> None:
        self._orphans_due = monotonic()

    async def __call__(self, session: Link) -> float:
        """Rescue whatever is to be rescued now."""
        if monotonic() >= self._orphans_due:
            self._orphans_due = monotonic() + ORPHANS_PAUSE_SECONDS
            await session.run(maintenance.rescue_orphans())
        for rescued in await session.run(maintenance.rescue()):
            log.warning(
                "rescue: worker %s stopped sending heartbeats; %d of its jobs run again, "
                "%d were out of attempts and are dead letters",
                rescued.worker, rescued.retried, rescued.buried,
            )  # fmt: skip
        return PAUSE_SECONDS
