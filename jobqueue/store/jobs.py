"""Statements about jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from jobqueue.core.options import EnqueueOptions
from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of an enqueue.

    id: the job's id.
    outcome: `inserted`, or `met` when a job with that id was there already.
    """

    id: UUID
    outcome: str


class Claimed(NamedTuple):
    """A job as its worker needs it; `id` and `args` as PostgreSQL wrote them."""

    id: str
    task: str
    args: str
    attempt: int
    max_attempts: int
    queue: str
    lease: int


@dataclass(frozen=True, slots=True)
class JobRecord:
    """Everything the books hold about one job. Times are aware; `run_ms` is of the last attempt."""

    id: UUID
    task: str
    queue: str
    state: str
    priority: int
    args: dict[str, Any]
    attempt: int
    max_attempts: int
    errors: list[dict[str, Any]] | None
    enqueued_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_ms: float | None
    worker_id: int | None


def record(row: tuple[Any, ...]) -> JobRecord:
    """Read a row of `all_jobs`."""
    return JobRecord(*row)


def _enqueued(row: tuple[Any, ...]) -> Enqueued:
    return Enqueued(UUID(row[0]), row[1])


def enqueue(task: str, args: str, options: EnqueueOptions) -> Statement[Enqueued]:
    """Enqueue one job. args: a JSON object as text."""
    params = {
        "task": task,
        "args": args,
        "queue": options.queue,
        "priority": options.priority,
        "run_at": options.run_at,
        "delay_seconds": options.delay_seconds,
        "max_attempts": options.max_attempts,
        "job_id": None if options.job_id is None else str(options.job_id),
    }
    return Statement(sql("jobs/enqueue"), params, _enqueued)


def enqueue_many(task: str, args: str, options: EnqueueOptions) -> Statement[Enqueued]:
    """Enqueue one job for each object of a JSON array. args: that array as text."""
    params = {
        "task": task,
        "args": args,
        "queue": options.queue,
        "priority": options.priority,
        "run_at": options.run_at,
        "delay_seconds": options.delay_seconds,
        "max_attempts": options.max_attempts,
    }
    return Statement(sql("jobs/enqueue_many"), params, _enqueued)


def claim(worker_id: int, limits: dict[str, int], tasks: Sequence[str]) -> Statement[Claimed]:
    """Claim up to so many jobs of each queue. Rows are in the order to run them."""
    params = {
        "worker_id": worker_id,
        "queues": list(limits),
        "limits": list(limits.values()),
        "tasks": tasks,
    }
    return Statement(sql("jobs/claim"), params, Claimed._make)


def ack_completed(ids: str, leases: str, run_ms: str) -> Statement[str]:
    """Record completed attempts, given as array literals. Rows are the stale ids."""
    params = {"ids": ids, "leases": leases, "run_ms": run_ms}
    return Statement(sql("jobs/ack_completed"), params, first)


def ack_rescheduled(outcomes: str) -> Statement[str]:
    """Record attempts that run again, given as JSON. Rows are the stale ids."""
    return Statement(sql("jobs/ack_rescheduled"), {"outcomes": outcomes}, first)


def ack_dead(outcomes: str) -> Statement[str]:
    """Record last attempts that failed, given as JSON. Rows are the stale ids."""
    return Statement(sql("jobs/ack_dead"), {"outcomes": outcomes}, first)


def ack_cancelled(outcomes: str) -> Statement[str]:
    """Record attempts that cancelled their job, given as JSON. Rows are the stale ids."""
    return Statement(sql("jobs/ack_cancelled"), {"outcomes": outcomes}, first)


def hand_back(worker_id: int, known: Collection[int]) -> Statement[str]:
    """Hand back what the worker runs by the books and not by its own. Rows are their queues."""
    return Statement(sql("jobs/hand_back"), {"worker_id": worker_id, "known": list(known)}, first)


def unknown_tasks(queues: Sequence[str], tasks: Sequence[str]) -> Statement[str]:
    """Name the tasks of available jobs in `queues` that are not among `tasks`."""
    params = {"queues": list(queues), "tasks": list(tasks)}
    return Statement(sql("jobs/unknown"), params, first)


def cancel(job_id: UUID) -> Statement[str]:
    """Cancel a waiting job: `cancelled`, or why not: `running`, `ended`, `unknown`."""
    return Statement(sql("jobs/cancel"), {"id": str(job_id)}, first)


def retry(job_id: UUID) -> Statement[str]:
    """Run a job now: `available`, `redriven`, or why not: `running`, `ended`, `unknown`."""
    return Statement(sql("jobs/retry"), {"id": str(job_id)}, first)


def show(job_id: UUID) -> Statement[JobRecord]:
    """Find one job, wherever it is."""
    return Statement(sql("jobs/show"), {"id": str(job_id)}, record)


def list_jobs(
    *, state: str | None, queue: str | None, task: str | None, limit: int
) -> Statement[JobRecord]:
    """Find the newest jobs that fit every filter that is not None."""
    params = {"state": state, "queue": queue, "task": task, "limit": limit}
    return Statement(sql("jobs/list"), params, record)
