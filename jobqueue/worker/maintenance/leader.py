"""Leader election, and the loop that runs the leader's duties.

The leader is whoever holds a session advisory lock. Its duties run on that same session, so that
a leader which has lost it cannot act. Every duty is also safe if two leaders ran it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from time import monotonic

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import maintenance
from jobqueue.worker.background import is_set
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

Duty = Callable[[Link], Awaitable[float]]
"""Does what is due through the leader's session, and gives the seconds until it is worth a look."""

# The leader's session is never idle for so long while the leader lives. A frozen one loses the
# session, and with it the lock.
LEADER_IDLE_TIMEOUT = "3s"
# Candidates ask whether there is a leader: the more workers there are, the more seldom each, within
# these bounds.
CANDIDATE_SECONDS = (2.0, 4.0)
CANDIDATES_A_SECOND = 5
# When a leader resigns they ask at once, but not all in the same moment.
CALLED_SECONDS_A_WORKER = 0.02
LONGEST_CALLED_SECONDS = 0.5
# After a duty that failed; the reason is logged.
FAILED_SECONDS = 1.0
# For the duty that is being done when the leader is to resign.
RESIGN_SECONDS = 1.0


class Leader:
    """Stands for election until it is the leader, and then sees to the duties.

    name: of the worker, for those who ask who leads.
    asking: a connection to ask through whether there is a leader.
    session: the one that holds the lock, opened only to take it.
    duties: by their names, by which a notification can call for one of them at once.
    """

    def __init__(self, name: str, asking: Link, session: Link, duties: dict[str, Duty]) -> None:
        self._name = name
        self._asking = asking
        self._session = session
        self._duties = duties
        self.called = asyncio.Event()
        """set to have it stand for election at once, as when the leader has resigned"""
        self.leads = False
        """whether it is the leader"""
        self._resigning = False
        self._over = asyncio.Event()

    async def resign(self) -> None:
        """Lead no more, and do not stand again: another takes over at once."""
        self._resigning = True
        self.called.set()
        self._session.stir()
        await is_set(self._over, seconds=RESIGN_SECONDS)

    async def run(self) -> None:
        """Stand for election until told to resign."""
        try:
            await self._stand()
        finally:
            self._over.set()

    async def _stand(self) -> None:
        workers = 1
        while not self._resigning:
            leading = False
            try:
                [candidacy] = await self._asking.run(maintenance.candidacy())
                workers = candidacy.workers
                if leading := candidacy.absent and await self._elected():
                    log.info("leader: this worker now does the maintenance")
                    self.leads = True
                    await self._lead()
            except psycopg.Error as error:
                reason = one_line(error)
                what = "no longer this worker" if leading else "cannot stand for election"
                log.warning("leader: %s (%s)", what, reason)
            self.leads = False
            # Without its session it holds no lock, whatever happened to it.
            await self._session.close()
            if not self._resigning:
                await self._pause(workers)

    async def _pause(self, workers: int) -> None:
        """Wait until it is worth asking again."""
        if not await is_set(self.called, seconds=_seconds_between(workers)):
            return
        self.called.clear()
        spread = min(CALLED_SECONDS_A_WORKER * workers, LONGEST_CALLED_SECONDS)
        await asyncio.sleep(random.uniform(0, spread))  # noqa: S311 - not all at once

    async def _elected(self) -> bool:
        [elected] = await self._session.run(maintenance.lock_leader())
        return elected

    async def _lead(self) -> None:
        """Run each duty when it is due, one at a time. Raises when the session is lost."""
        await self._session.run(maintenance.enter_leader(self._name))
        await self._session.run(maintenance.listen_leader())
        due = dict.fromkeys(self._duties, monotonic())
        while not self._resigning:
            name = min(due, key=lambda one: due[one])
            if (pause := due[name] - monotonic()) > 0:
                called = await self._session.heard(pause)
                due |= dict.fromkeys(due.keys() & called, 0.0)
                continue
            try:
                pause = await self._duties[name](self._session)
            except psycopg.Error as error:
                if not self._session.open:
                    raise
                log.warning("%s: failed (%s)", name, one_line(error))
                pause = FAILED_SECONDS
            due[name] = monotonic() + pause
        await self._session.run(maintenance.resign_leader())
        log.info("leader: resigned")


def _seconds_between(workers: int) -> float:
    """Give the seconds until one of so many candidates asks again, never in step with others."""
    shortest, longest = CANDIDATE_SECONDS
    pause = min(max(shortest, workers / CANDIDATES_A_SECOND), longest)
    return pause * random.uniform(0.75, 1.0)  # noqa: S311 - jitter
