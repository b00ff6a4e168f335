"""Follow the jobs of ticks: note how they ended, and let go what waited for them."""

from __future__ import annotations

import logging
from datetime import datetime
from time import monotonic

from jobqueue.store import ticks
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

BATCH = 1_000
# Between steps through more than a batch; while a tick waits for a job to end; and otherwise.
STEP_SECONDS = 0.05
WAITING_PAUSE_SECONDS = 0.2
PAUSE_SECONDS = 2.0
TIDY_PAUSE_SECONDS = 5.0
PRUNE_PAUSE_SECONDS = 60.0


class Conclude:
    """Goes round the open ticks, a batch at a time. history_days: how long ticks are kept."""

    def __init__(self, history_days: int) -> None:
        self._history_days = history_days
        self._after: tuple[int, datetime | str] = ticks.FIRST
        self._tidy_due = self._prune_due = monotonic()

    async def __call__(self, session: Link) -> float:
        """Note what is to be noted, and give the seconds until it is worth a look."""
        [seen] = await session.run(ticks.conclude(self._after, BATCH))
        [waiting] = await session.run(ticks.release())
        if seen.ticks >= BATCH and seen.last_id is not None and seen.last_at is not None:
            self._after = (seen.last_id, seen.last_at)
            return STEP_SECONDS
        self._after = ticks.FIRST
        await self._tidy(session)
        return WAITING_PAUSE_SECONDS if waiting else PAUSE_SECONDS

    async def _tidy(self, session: Link) -> None:
        if monotonic() >= self._tidy_due:
            self._tidy_due = monotonic() + TIDY_PAUSE_SECONDS
            for name in await session.run(ticks.remove_done()):
                log.info("schedule %r: is over, and was removed", name)
        if monotonic() >= self._prune_due:
            [gone] = await session.run(ticks.prune(self._history_days, BATCH))
            self._prune_due = monotonic() + (0.0 if gone >= BATCH else PRUNE_PAUSE_SECONDS)
