"""Jobs that the books say this worker runs, and it knows nothing of: found, and handed back."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from time import perf_counter

from jobqueue.store import jobs, workers
from jobqueue.store.claims import Held
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

# Without any doubt the books are compared all the same; that reads the whole table of jobs.
REGULARLY_SECONDS = 600.0


class Unheard:
    """Compares the books with what the worker has in hand, whenever they may differ.

    The answer of a claim is lost with its connection, though the claim was committed. And a server
    that takes over may not have heard of the last acks of the one before. Either way nobody would
    ever run those jobs again while the worker lives. So it looks after each connection lost: at
    once, again a lease later, when a server that was held up has long begun what it was last asked
    for, and then as regularly as without any doubt.

    link: to ask through. links: whose losses give reason for doubt.
    known: gives what is in hand, or whose outcome is not known to be recorded.
    """

    def __init__(
        self, link: Link, lease: Lease, known: Callable[[], set[Held]], links: Sequence[Link]
    ) -> None:
        self._link = link
        self._lease = lease
        self._known = known
        self._links = links
        self._losses = 0
        self._due = [_regularly()]

    def doubt(self) -> None:
        """Look before the next claim, and a lease later."""
        now = perf_counter()
        self._due = [now, now + self._lease.seconds]

    async def look(self) -> None:
        """Hand back what there is, if it is time. Raises psycopg.Error; then it is still time."""
        losses = sum(link.losses for link in self._links)
        if losses != self._losses:
            self._losses = losses
            self.doubt()
        if perf_counter() < self._due[0]:
            return
        # A claim may not have committed yet: the server learns late that nobody waits for it.
        await self._lease.claims_are_over()
        unheard = await self._link.run(jobs.hand_back(self._lease.worker_id, self._known()))
        if unheard:
            log.warning(
                "claim: handed back %d jobs that this worker had not heard of, or whose end a "
                "server that took over had not heard of",
                len(unheard),
            )
            await self._link.run(workers.wake(sorted(set(unheard))))
        self._due = self._due[1:] or [_regularly()]


def _regularly() -> float:
    """Give the time of the next regular look, never in step with others."""
    return perf_counter() + REGULARLY_SECONDS * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
