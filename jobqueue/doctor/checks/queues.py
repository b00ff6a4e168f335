"""Queues that have jobs, and no worker."""

from __future__ import annotations

from collections.abc import Iterator

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import counted, duration, shell
from jobqueue.store import stats

MOST_COUNTED = 1_000


@check(why="nobody runs their jobs", needs_schema=True)
def queues(patient: Patient) -> Iterator[Problem]:
    """Find queues that no live worker serves."""
    for one in patient.run(stats.waiting(MOST_COUNTED)):
        if not one.workers:
            yield Problem(
                f"queue {one.queue!r}: {counted(one.jobs, MOST_COUNTED)} jobs wait, since "
                f"{duration(one.oldest_seconds)}, and no worker serves it",
                {"queue": one.queue, "jobs": one.jobs, "oldest_seconds": one.oldest_seconds},
                (f"jobqueue worker MODULE:NAME --queue {shell(one.queue)}",),
            )
