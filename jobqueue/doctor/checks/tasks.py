"""Jobs of tasks that nobody alive knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import counted, duration, shell
from jobqueue.store.statement import Statement, sql

MOST_COUNTED = 1_000


class Unknown(NamedTuple):
    """A task of jobs in a queue whose workers do not have it. entered_at: by the last that had."""

    queue: str
    task: str
    jobs: int
    oldest_seconds: float
    entered_at: datetime | None


@check(why="their jobs wait for a worker that has the task, for ever if need be", needs_schema=True)
def tasks(patient: Patient) -> Iterator[Problem]:
    """Look at the tasks at the front of each queue that has workers."""
    for one in patient.run(Statement(sql("doctor/tasks"), {}, Unknown._make)):
        known = (
            f"a worker last had it at {one.entered_at:%F %T %Z}" if one.entered_at
            else "no worker ever had it"
        )  # fmt: skip
        yield Problem(
            f"task {one.task!r}: no worker that serves the queue {one.queue!r} has it, and "
            f"{counted(one.jobs, MOST_COUNTED)} jobs wait, since {duration(one.oldest_seconds)}; "
            + known,
            one._asdict(),
            (
                f"jobqueue worker MODULE:NAME --import MODULE --queue {shell(one.queue)}",
                "# or, if it is gone for good, `jobqueue jobs cancel ID` for each of:",
                f"jobqueue jobs list --task {shell(one.task)} --state available",
            ),
        )
