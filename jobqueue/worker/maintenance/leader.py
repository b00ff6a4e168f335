"""Leader election, and the loop that runs the leader's duties.

The leader is whoever holds a session advisory lock. Its duties run on that same session, so that
a leader which has lost it cannot act. Every duty is also safe if two leaders ran it.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from collections.abc import Awaitable, Callable
from time import monotonic

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import maintenance
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

Duty = Callable[[Link], Awaitable[float]]
"""Does what is due through the leader's session, and gives the seconds until it is worth a look."""

# Candidates ask whether there is a leader: the more workers there are, the more seldom each, within
# these bounds.
CANDIDATE_SECONDS = (2.0, 4.0)
CANDIDATES_A_SECOND = 5
# After a duty that failed; the reason is logged.
FAILED_SECONDS = 1.0


class Leader:
    """Stands for election until it is the leader, and then sees to the duties.

    asking: a connection to ask through whether there is a leader.
    session: the one that holds the lock, opened only to take it.
    """

    def __init__(self, asking: Link, session: Link, duties: dict[str, Duty]) -> None:
        self._asking = asking
        self._session = session
        self._duties = duties

    async def run(self) -> None:
        """Stand for election for as long as the worker lives."""
        pause = CANDIDATE_SECONDS[0]
        while True:
            leading = False
            try:
                [candidacy] = await self._asking.run(maintenance.candidacy())
                pause = _pause(candidacy.workers)
                if leading := candidacy.absent and await self._elected():
                    log.info("leader: this worker now does the maintenance")
                    await self._lead()
            except psycopg.Error as error:
                reason = one_line(error)
                what = "no longer this worker" if leading else "cannot stand for election"
                log.warning("leader: %s (%s)", what, reason)
            # Without its session it holds no lock, whatever happened to it.
            await self._session.close()
            await asyncio.sleep(pause)

    async def _elected(self) -> bool:
        [elected] = await self._session.run(maintenance.lock_leader())
        return elected

    async def _lead(self) -> None:
        """Run each duty when it is due, one at a time. Raises when the session is lost."""
        due = [(monotonic(), name) for name in self._duties]
        while True:
            when, name = heapq.heappop(due)
            await asyncio.sleep(max(0.0, when - monotonic()))
            try:
                pause = await self._duties[name](self._session)
            except psycopg.Error as error:
                if not self._session.open:
                    raise
                log.warning("%s: failed (%s)", name, one_line(error))
                pause = FAILED_SECONDS
            heapq.heappush(due, (monotonic() + pause, name))


def _pause(workers: int) -> float:
    """Give the seconds until one of so many candidates asks again, never in step with others."""
    shortest, longest = CANDIDATE_SECONDS
    pause = min(max(shortest, workers / CANDIDATES_A_SECOND), longest)
    return pause * random.uniform(0.75, 1.0)  # noqa: S311 - jitter
