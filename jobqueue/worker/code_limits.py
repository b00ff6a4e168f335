"""Entering the limits that code declares, when a worker starts."""

from __future__ import annotations

import logging

from jobqueue.client.queue import JobQueue
from jobqueue.core.limits import Concurrency
from jobqueue.store import gates
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")


async def place_limits(link: Link, jobs: JobQueue) -> None:
    """Enter what `jobs` declares; what was set by hand since code last changed it stays."""
    rules = [
        limit.rule() | ({"name": name} if isinstance(limit, Concurrency) else {})
        for name, limit in jobs.limits.items()
        if limit is not None
    ]
    for name, outcome in await link.run(gates.place(rules)) if rules else ():
        if outcome == "other":
            log.error(
                "limit %r: one of the other kind has this name, and is left as it is; give that of "
                "the code another name, or run: jobqueue limits remove %s",
                *(name, name),
            )
        elif outcome == "placed":
            log.info("limit %r: placed", name)
    named = [name for name, limit in jobs.limits.items() if limit is None]
    for name in await link.run(gates.name_limits(named)) if named else ():
        log.warning(
            "limit %r: is not set, so everybody passes; run: jobqueue limits set %s --rate 50/1s",
            *(name, name),
        )
