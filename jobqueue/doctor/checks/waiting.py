"""Jobs that have waited for very long, though there are workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import counted, duration, shell
from jobqueue.store import stats
from jobqueue.store.statement import Statement, sql

MOST_COUNTED = 1_000


class Overdue(NamedTuple):
    """Due jobs that were not promoted."""

    jobs: int
    late_seconds: float | None


class Contested(NamedTuple):
    """Jobs whose key another transaction holds. example: the id of one."""

    jobs: int
    waiting_seconds: float | None
    example: str | None


class Lost(NamedTuple):
    """A worker whose jobs nobody took back. silent_seconds: since its last heartbeat."""

    worker: str
    silent_seconds: float


@check(why="these jobs come late, or not at all", needs_schema=True)
def waiting(patient: Patient) -> Iterator[Problem]:
    """Find what waits for a slot, for the leader, for a key, or for a rescue."""
    yield from _for_a_slot(patient)
    late = patient.limits.late_seconds
    [overdue] = patient.run(Statement(sql("doctor/overdue"), {"seconds": late}, Overdue._make))
    if overdue.late_seconds is not None:
        yield Problem(
            f"{counted(overdue.jobs, MOST_COUNTED)} jobs are due and were not promoted; the first "
            f"is {duration(overdue.late_seconds)} late",
            overdue._asdict(),
            _LEADER,
        )
    [contested] = patient.run(
        Statement(sql("doctor/contested"), {"seconds": late}, Contested._make)
    )
    if contested.waiting_seconds is not None:
        yield Problem(
            f"{counted(contested.jobs, MOST_COUNTED)} jobs wait, since "
            f"{duration(contested.waiting_seconds)}, for a key that a transaction holds which was "
            "open when they were enqueued",
            contested._asdict(),
            (
                "# end that transaction: see backend_xid and xact_start in pg_stat_activity",
                *_LEADER,
            ),
        )
    for lost in patient.run(Statement(sql("doctor/lost_workers"), {"seconds": late}, Lost._make)):
        yield Problem(
            f"worker {lost.worker} has been silent for {duration(lost.silent_seconds)}, and nobody "
            "has taken its jobs back",
            lost._asdict(),
            _LEADER,
        )


_LEADER = (
    "# the leader does this: see that there is one, and what its log says",
    "jobqueue stats",
)


def _for_a_slot(patient: Patient) -> Iterator[Problem]:
    for one in patient.run(stats.waiting(MOST_COUNTED)):
        if one.workers and one.oldest_seconds > patient.limits.waiting_seconds:
            queue = shell(one.queue)
            yield Problem(
                f"queue {one.queue!r}: its oldest job has waited for "
                f"{duration(one.oldest_seconds)}, beside {one.workers} workers with {one.slots} "
                "slots",
                {
                    "queue": one.queue,
                    "jobs": one.jobs,
                    "oldest_seconds": one.oldest_seconds,
                    "workers": one.workers,
                    "slots": one.slots,
                },
                (
                    f"jobqueue jobs list --queue {queue} --state running  # what they do instead",
                    f"jobqueue worker MODULE:NAME --queue {queue}=N  # one more, or more slots",
                ),
            )
