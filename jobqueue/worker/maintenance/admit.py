"""Let jobs through their gates that nobody else has come to."""

from __future__ import annotations

from math import inf
from time import monotonic

from jobqueue.store import gates
from jobqueue.worker.link import Link

# An enqueue calls the leader when a worker sleeps; otherwise it is found by then.
LONGEST_PAUSE_SECONDS = 0.25
SHORTEST_PAUSE_SECONDS = 0.005
# Without any limit, whose first one calls the leader too.
UNLIMITED_PAUSE_SECONDS = 5.0
PRUNE_PAUSE_SECONDS = 60.0
BATCH = 1_000


class Admit:
    """Admits, and forgets keys of rates that are idle."""

    def __init__(self) -> None:
        self._prune_due = monotonic()

    async def __call__(self, session: Link) -> float:
        """Admit once, and give the seconds until more can be."""
        if monotonic() >= self._prune_due:
            [gone] = await session.run(gates.prune_rates(BATCH))
            self._prune_due = monotonic() + (1.0 if gone >= BATCH else PRUNE_PAUSE_SECONDS)
        [admitted] = await session.run(gates.admit())
        if admitted.pause is None:
            return LONGEST_PAUSE_SECONDS
        if admitted.pause == inf:
            return UNLIMITED_PAUSE_SECONDS
        return min(max(admitted.pause, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
