"""Looking into the books all the time, for what is wrong only while it lasts."""

from __future__ import annotations

import asyncio
from time import monotonic

import psycopg

from tests.chaos.servers import Pair

LOOK_SECONDS = 0.25
# The longest job takes 4 s, and may wait for a frozen worker's transaction or for the server first.
LONGEST_RUN_SECONDS = 25.0
LONGEST_WAIT_SECONDS = 10.0

SHARED_KEYS = """
SELECT min(unique_key) FROM jobqueue.jobs
WHERE unique_key IS NOT NULL GROUP BY unique_hash HAVING count(*) > 1
"""
# Running in the hands of a worker that renews its lease; to be had, and a worker sleeps; or at the
# gate of a key that nobody holds.
UNDER_WAY = """
SELECT 'running', job.id::text, job.lease
FROM jobqueue.jobs AS job
JOIN jobqueue.workers AS worker ON worker.id = job.worker_id
WHERE job.state = 'running' AND worker.expires_at > clock_timestamp()
UNION ALL
SELECT 'available', job.id::text, 0
FROM jobqueue.jobs AS job
WHERE job.state = 'available' AND EXISTS (
    SELECT FROM jobqueue.workers AS worker
    WHERE worker.expires_at > clock_timestamp() AND worker.sleeping @> ARRAY[job.queue])
UNION ALL
SELECT 'gated', job.id::text, 0
FROM jobqueue.jobs AS job
WHERE job.state = 'gated' AND job.concurrency IS NOT NULL AND NOT EXISTS (
    SELECT FROM jobqueue.jobs AS holder
    WHERE holder.concurrency = job.concurrency AND holder.concurrency_key = job.concurrency_key
      AND holder.holds)
"""
LONGEST_SECONDS = {
    "running": LONGEST_RUN_SECONDS,
    "available": LONGEST_WAIT_SECONDS,
    "gated": LONGEST_WAIT_SECONDS,
}
WHERE = {"available": ", though a worker sleeps", "gated": ", and nobody holds its key"}

Seen = tuple[str, str, int]
"""A state, a job, and the lease it is in under."""


class Watcher:
    """Finds unique keys with two waiting jobs, and jobs that stay where they are.

    What it saw before it could not look for a while counts no more: nothing moves in an outage.
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._since: dict[Seen, float] = {}
        self.shared_keys: set[str] = set()
        self.stuck: set[str] = set()

    async def run(self) -> None:
        """Look for as long as this is not cancelled."""
        while True:
            try:
                await self._look()
            except psycopg.Error:
                self._since.clear()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        self.shared_keys |= {key for (key,) in await self._pair.primary.rows(SHARED_KEYS)}
        now = monotonic()
        rows = await self._pair.primary.rows(UNDER_WAY)
        self._since = {seen: self._since.get(seen, now) for seen in rows}
        for (state, job, lease), since in self._since.items():
            if now - since > LONGEST_SECONDS[state]:
                where = WHERE.get(state, f" under lease {lease}")
                self.stuck.add(f"job {job}: {state} for {LONGEST_SECONDS[state]:g} s{where}")
