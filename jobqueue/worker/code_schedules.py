"""Putting the schedules that code declares in place, when a worker starts."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from jobqueue.client.queue import JobQueue
from jobqueue.store import schedules
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")


def identity(application: str | None, imports: Iterable[str]) -> str:
    """Name the code that a worker runs: what it declares depends on all of it.

    application: `module:attribute`, of which the attribute may be left out.
    """
    module, _, attribute = (application or "").partition(":")
    whole = f"{module}:{attribute or 'jobs'}" if module else ""
    return " ".join([whole, *sorted(imports)])


def _module(application: str | None) -> str:
    """Give what is the same for all workers of an application, whatever else they import."""
    return (application or "").partition(" ")[0]


async def place_schedules(link: Link, jobs: JobQueue, application: str) -> None:
    """Place what `jobs` declares, and drop what its code declared before and does not any more.

    application: which code this is; schedules of other code are left alone.
    """
    declared = jobs.schedules
    if declared:
        placed = await link.run(schedules.place(application, list(declared.values())))
        for name, outcome, before in placed:
            if outcome == "changed" and _module(before) != _module(application):
                log.warning(
                    "schedule %r: was declared by %r, and is now as %r declares it; if both do, "
                    "give one of them another name",
                    name, _module(before), _module(application),
                )  # fmt: skip
            elif outcome in {"placed", "changed"}:
                log.info("schedule %r: %s", name, outcome)
            elif outcome != "kept":
                log.warning(
                    "schedule %r: one of this name was made by %s and is left as it is; give "
                    "that of the code another name, or run: jobqueue schedules remove %s",
                    name, outcome, name,
                )  # fmt: skip
    for name in await link.run(schedules.drop(application, list(declared))):
        log.warning(
            "schedule %r: the code does not declare it any more; it is kept, but enqueues nothing "
            "(jobqueue schedules remove)",
            name,
        )
