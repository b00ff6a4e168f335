"""Note how deep queues are and how the fleet is, for metrics and whoever else asks."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic, perf_counter

from jobqueue.store import metrics
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

PAUSE_SECONDS = 5.0
# A sample that takes long is taken the less often: at most this part of the leader's time.
MOST_OF_TIME = 0.04
LONGEST_PAUSE_SECONDS = 60.0
# The other duties wait meanwhile.
MOST_SECONDS = 1.0
FORGET_SECONDS = 600.0


class Sample:
    """Takes a sample every few seconds. One that is not done in time is given up."""

    def __init__(self) -> None:
        self._forget_due = monotonic()
        self._late = False

    async def __call__(self, session: Link) -> float:
        """Take one, and give the seconds until the next."""
        began = perf_counter()
        try:
            async with asyncio.timeout(MOST_SECONDS):
                await session.run(metrics.sample_queues())
                await session.run(metrics.sample_fleet((perf_counter() - began) * 1000))
        except TimeoutError:
            if not self._late:
                log.warning(
                    "sample: queues could not be looked at within %g s, so metrics are old; a "
                    "session that is long in a transaction is the most likely cause",
                    MOST_SECONDS,
                )
            self._late = True
            return LONGEST_PAUSE_SECONDS
        self._late = False
        if monotonic() >= self._forget_due:
            self._forget_due = monotonic() + FORGET_SECONDS
            await session.run(metrics.forget_counts())
        pause = (perf_counter() - began) / MOST_OF_TIME
        return min(max(PAUSE_SECONDS, pause), LONGEST_PAUSE_SECONDS)
