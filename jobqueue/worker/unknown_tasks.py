"""Saying that jobs wait here for tasks this worker does not have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

import psycopg

from jobqueue.core.settings import WorkerSettings
from jobqueue.store import jobs
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

# After the first look, at the start. Each pause is twice the one before it, up to a lease: whoever
# tries a worker out is told soon, and one that has run for long looks seldom.
FIRST_PAUSE_SECONDS = 1.0


async def warn_of_unknown_tasks(
    link: Link, *, settings: WorkerSettings, tasks: Sequence[str], busy: Callable[[], bool]
) -> None:
    """Warn once for each task that has jobs waiting in our queues and is not among `tasks`.

    busy: whether jobs run here. While they do it looks once a lease: a look holds up the claims,
        and beside an old snapshot it reads past all that was claimed since.
    """
    warned: set[str] = set()
    pause = FIRST_PAUSE_SECONDS
    overdue = 0.0
    while True:
        if not busy() or monotonic() >= overdue:
            overdue = monotonic() + settings.lease_seconds
            with suppress(psycopg.Error):
                unknown = await link.run(jobs.unknown_tasks(list(settings.queues), tasks))
                for task in sorted(set(unknown) - warned):
                    warned.add(task)
                    log.warning(
                        "task %r: not registered on this worker; its jobs are left for workers "
                        "that have it (if none should, import its module with --import)",
                        task,
                    )
        pause = min(pause, settings.lease_seconds)
        await asyncio.sleep(pause)
        pause *= 2
