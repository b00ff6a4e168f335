"""Take back what dead workers held."""

from __future__ import annotations

import logging
from time import monotonic

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import maintenance
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

PAUSE_SECONDS = 1.0
# The search for orphans reads the whole table: seldom, and not while a worker that has just
# started, and leads, works off what waited for it.
FIRST_ORPHANS_SECONDS = 15.0
ORPHANS_PAUSE_SECONDS = 600.0


class Rescue:
    """Rescues jobs of workers whose lease expired: after the lease at most one second more."""

    def __init__(self) -> None:
        self._orphans_due = monotonic() + FIRST_ORPHANS_SECONDS
        self._may_end_transactions = True

    async def __call__(self, session: Link) -> float:
        """Rescue whatever is to be rescued now."""
        if monotonic() >= self._orphans_due:
            self._orphans_due = monotonic() + ORPHANS_PAUSE_SECONDS
            await session.run(maintenance.rescue_orphans())
        # First: one that was frozen in the middle of its completion holds the rows to be rescued.
        await self._end_transactions(session)
        for rescued in await session.run(maintenance.rescue()):
            # A claim of that worker may have been committed while it was struck off.
            self._orphans_due = monotonic()
            log.warning(
                "rescue: worker %s is lost; %d of its jobs run again, "
                "%d were out of attempts and are dead letters, %d were to be cancelled and are",
                rescued.worker, rescued.retried, rescued.buried, rescued.cancelled,
            )  # fmt: skip
        return PAUSE_SECONDS

    async def _end_transactions(self, session: Link) -> None:
        """End what lost workers left open, if this role may."""
        if not self._may_end_transactions:
            return
        try:
            ended = await session.run(maintenance.end_transactions())
        except psycopg.errors.InsufficientPrivilege as error:
            self._may_end_transactions = False
            log.warning(
                "rescue: cannot end the transactions of lost workers (%s); their jobs wait until "
                "the server notices that they are gone",
                one_line(error),
            )
            return
        if ended:
            log.warning("rescue: ended transactions of lost workers: %d", len(ended))
