"""Saying that jobs wait here for tasks this worker does not have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

import psycopg

from jobqueue.core.settings import WorkerSettings
from jobqueue.store import jobs
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")


async def warn_of_unknown_tasks(
    link: Link, *, settings: WorkerSettings, tasks: Sequence[str]
) -> None:
    """Warn once for each task that has jobs waiting in our queues and is not among `tasks`."""
    warned: set[str] = set()
    while True:
        await asyncio.sleep(settings.lease_seconds)
        with suppress(psycopg.Error):
            unknown = await link.run(jobs.unknown_tasks(list(settings.queues), tasks))
            for task in sorted(set(unknown) - warned):
                warned.add(task)
                log.warning(
                    "task %r: not registered on this worker; its jobs are left for workers that "
                    "have it (if none should, import its module with --import)",
                    task,
                )
