"""Letting jobs through their gates, by any worker that runs jobs under limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.store import gates
from jobqueue.store.claims import Held
from jobqueue.store.gates import Admitted
from jobqueue.worker.link import Link, Pauses

log = logging.getLogger("jobqueue.worker")

# After the last job under a limit was seen here; then the leader's looks are enough.
FLOWING_SECONDS = 5.0
# Between looks, however much there is to do: the claims want the server too.
SHORTEST_PAUSE_SECONDS = 0.002
# While they flow: an enqueue notifies nobody as long as every worker is awake.
LONGEST_PAUSE_SECONDS = 0.05


class Gatekeeper:
    """Admits the next jobs as soon as others have ended, while jobs under limits run here.

    Whatever it does not come to is done by the leader's duty; and nothing is kept here that the
    books do not know.

    link: opened only when there is something to do. wake: set when jobs were let through.
    """

    def __init__(self, link: Link, wake: asyncio.Event) -> None:
        self._link = link
        self._wake = wake
        self._flows_until = 0.0
        self._called = asyncio.Event()
        self._late: dict[Held, Callable[[float | None], None]] = {}

    def seen(self) -> None:
        """Learn that a job under a limit is here."""
        now = monotonic()
        if now > self._flows_until:
            self._called.set()
        self._flows_until = now + FLOWING_SECONDS

    def recorded(self) -> None:
        """Learn that outcomes were recorded, or jobs claimed: there may be room at a gate."""
        if monotonic() < self._flows_until:
            self._called.set()

    def another_moment(self, job: Held, answer: Callable[[float | None], None]) -> None:
        """Ask for another moment for a job that came too late for its own.

        answer: called with the moment, by the database's clock, 0 if any will do, or None if there
        is none soon.
        """
        self._late[job] = answer
        self._called.set()

    async def run(self) -> None:
        """Admit for as long as the worker lives."""
        pauses = Pauses()
        pause: float | None = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._called.wait()
            self._called.clear()
            try:
                await self._renew_moments()
                [admitted] = await self._link.run(gates.admit())
                pauses.reset()
            except psycopg.Error as error:
                pause = pauses.next_seconds()
                log.warning("gates: failed (%s); trying again in %.1f s", one_line(error), pause)
                continue
            if admitted.jobs:
                self._wake.set()
            pause = self._pause(admitted)
            await asyncio.sleep(SHORTEST_PAUSE_SECONDS)

    async def _renew_moments(self) -> None:
        if not self._late:
            return
        asking = list(self._late)
        moments = dict(await self._link.run(gates.renew_moments(asking)))
        for job in asking:
            self._late.pop(job)(moments.get(job[0]))

    def _pause(self, admitted: Admitted) -> float | None:
        if monotonic() >= self._flows_until:
            return None
        if admitted.pause is None:
            return LONGEST_PAUSE_SECONDS
        return min(admitted.pause, LONGEST_PAUSE_SECONDS)
