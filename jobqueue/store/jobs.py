"""Statements about jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from jobqueue.core.options import NO_KEYS, EnqueueOptions, Keys
from jobqueue.core.why import Facts, Gate
from jobqueue.store.claims import Held
from jobqueue.store.maintenance import LEADER_LOCK
from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of an enqueue.

    id: the job's id.
    outcome: `inserted`; `met` when the id or a key found a job that was there, as it is; or
        `replaced` when it found one that is now as this enqueue asked.
    """

    id: UUID
    outcome: str


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


@dataclass(frozen=True, slots=True)
class JobDetails(JobRecord):
    """What is shown of one job only.

    timeout_seconds: its own; None: its task's.
    progress, progress_message: of the attempt that runs, by its own word.
    cancel_requested_at: when somebody asked to cancel it while it runs.
    result: what it returned, if its task keeps that.
    expires_at: its deadline, if it has one and has not started.
    """

    timeout_seconds: float | None
    progress: float | None
    progress_message: str | None
    cancel_requested_at: datetime | None
    result: Any
    expires_at: datetime | None


class Standing(NamedTuple):
    """How a job stands, for whoever waits for it.

    result: JSON as text; None if nothing was kept.
    error, message: of its last failed attempt.
    ended_seconds: since it ended; None if it has not.
    sees_commits: whether the transaction that looked sees what others commit meanwhile.
    """

    task: str
    state: str
    result: str | None
    error: str | None
    message: str | None
    ended_seconds: float | None
    sees_commits: bool


def record(row: tuple[Any, ...]) -> JobRecord:
    """Read a row of `all_jobs`."""
    return JobRecord(*row)


def enqueued(row: tuple[Any, ...]) -> Enqueued:
    """Read what became of an enqueue."""
    return Enqueued(UUID(row[0]), row[1])


def insert(task: str, args: str, options: EnqueueOptions, job_id: UUID) -> Statement[Enqueued]:
    """Insert one job of which nothing is left to decide. args: a JSON object as text.

    job_id: a fresh one, that was never used before.
    """
    params = {
        "id": str(job_id),
        "task": task,
        "args": args,
        "queue": options.queue,
        "priority": options.priority,
        "max_attempts": options.max_attempts,
    }
    return Statement(sql("jobs/insert"), params, first, (Enqueued(job_id, "inserted"),))


def enqueue(
    task: str, args: str, options: EnqueueOptions, keys: Keys = NO_KEYS
) -> Statement[Enqueued]:
    """Enqueue one job. args: a JSON object as text."""
    idempotency_key, unique_key = keys
    params = option_params(options) | {
        "task": task,
        "args": args,
        "job_id": None if options.job_id is None else str(options.job_id),
        "idempotency_key": idempotency_key,
        "unique_key": unique_key,
    }
    return Statement(sql("jobs/enqueue"), params, enqueued)


def enqueue_many(
    task: str, args: str, options: EnqueueOptions, keys: Sequence[Keys] = ()
) -> Statement[Enqueued]:
    """Enqueue one job for each object of a JSON array. args: that array as text.

    keys: of each job, if they have any.
    """
    params = option_params(options) | {
        "task": task,
        "args": args,
        "idempotency_keys": [one for one, _ in keys] if keys else None,
        "unique_keys": [one for _, one in keys] if keys else None,
    }
    return Statement(sql("jobs/enqueue_many"), params, enqueued)


def option_params(options: EnqueueOptions) -> dict[str, Any]:
    """Give the parameters that hold for one job as for many."""
    unique = options.unique
    delay = options.delay_seconds
    if unique is not None and delay is None and options.run_at is None:
        delay = unique.delay_seconds
    return {
        "queue": options.queue,
        "priority": options.priority,
        "run_at": None if options.run_at is None else options.run_at.isoformat(),
        "delay_seconds": delay,
        "max_attempts": options.max_attempts,
        "idempotency_seconds": options.idempotency_seconds,
        "unique_mode": "skip" if unique is None else unique.mode,
        "unique_window_seconds": None if unique is None else unique.window_seconds,
        "timeout_seconds": options.timeout_seconds,
        "expires_at": _expires_at(options),
        "expires_seconds": options.expires_seconds,
    }


def _expires_at(options: EnqueueOptions) -> str | None:
    """Give the deadline; never, where the task is known here and says so."""
    if options.expires_at is not None:
        return options.expires_at.isoformat()
    # Without a queue nothing is known of the task: the database is.
    known = options.queue is not None
    return "infinity" if known and options.expires_seconds is None else None


COPY_COLUMNS = (
    "id", "run_at", "enqueued_at", "priority", "max_attempts", "state", "queue", "task", "args",
)  # fmt: skip


class CopyCommon(NamedTuple):
    """What the jobs of a bulk load have in common. allowed: whether the role may load at all."""

    allowed: bool
    run_at: str
    enqueued_at: str
    state: str
    queue: str
    priority: int
    max_attempts: int

    def columns(self, task: str) -> str:
        """Give the columns between the id and the arguments, as COPY text."""
        values = (
            self.run_at, self.enqueued_at, self.priority, self.max_attempts, self.state, self.queue,
            task,
        )  # fmt: skip
        return "\t".join(str(value).replace("\\", "\\\\") for value in values)


def copy_prepare(task: str, options: EnqueueOptions) -> Statement[CopyCommon]:
    """Find out what the jobs of a bulk load have in common."""
    params = {"task": task, **option_params(options)}
    return Statement(sql("jobs/copy_prepare"), params, CopyCommon._make)


def ack_completed(ids: str, leases: str, run_ms: str) -> Statement[str]:
    """Record completed attempts, given as array literals. Rows are the stale ids."""
    params = {"ids": ids, "leases": leases, "run_ms": run_ms}
    return Statement(sql("jobs/ack_completed"), params, first)


def ack_forgotten(ids: str, leases: str) -> Statement[str]:
    """Record completed attempts that leave no trace, given as array literals.

    Rows are the stale ids.
    """
    return Statement(sql("jobs/ack_forgotten"), {"ids": ids, "leases": leases}, first)


def ack_returned(
    ids: Sequence[str], leases: Sequence[int], run_ms: Sequence[float], results: Sequence[str]
) -> Statement[str]:
    """Record completed attempts with what they returned, as JSON text. Rows are the stale ids."""
    params = {
        "ids": list(ids),
        "leases": list(leases),
        "run_ms": list(run_ms),
        "results": list(results),
    }
    return Statement(sql("jobs/ack_returned"), params, first)


def progress(
    ids: Sequence[str],
    leases: Sequence[int],
    fractions: Sequence[float],
    messages: Sequence[str],
) -> Statement[str]:
    """Note how far attempts are, from 0 to 1, and tell listeners. Rows are the ids not stale."""
    params = {
        "ids": list(ids),
        "leases": list(leases),
        "fractions": list(fractions),
        "messages": list(messages),
    }
    return Statement(sql("jobs/progress"), params, first)


def ack_rescheduled(outcomes: str) -> Statement[str]:
    """Record attempts that run again, given as JSON. Rows are the stale ids."""
    return Statement(sql("jobs/ack_rescheduled"), {"outcomes": outcomes}, first)


def ack_dead(outcomes: str) -> Statement[str]:
    """Record last attempts that failed, given as JSON. Rows are the stale ids."""
    return Statement(sql("jobs/ack_dead"), {"outcomes": outcomes}, first)


def ack_cancelled(outcomes: str) -> Statement[str]:
    """Record attempts that cancelled their job, given as JSON. Rows are the stale ids."""
    return Statement(sql("jobs/ack_cancelled"), {"outcomes": outcomes}, first)


def hand_back(worker_id: int, known: Collection[Held]) -> Statement[str]:
    """Hand back what the worker runs by the books and not by its own.

    Rows are the queues of what runs again.
    """
    params = {
        "worker_id": worker_id,
        "known_ids": [job_id for job_id, _ in known],
        "known_leases": [lease for _, lease in known],
    }
    return Statement(sql("jobs/hand_back"), params, first)


def unknown_tasks(queues: Sequence[str], tasks: Sequence[str]) -> Statement[str]:
    """Name the tasks of available jobs in `queues` that are not among `tasks`."""
    params = {"queues": list(queues), "tasks": list(tasks)}
    return Statement(sql("jobs/unknown"), params, first)


def cancel(job_id: UUID) -> Statement[str]:
    """Cancel a job: `cancelled`, `asked` since it runs, or too late: `ended`, `unknown`."""
    return Statement(sql("jobs/cancel"), {"id": str(job_id)}, first)


def retry(job_id: UUID) -> Statement[str]:
    """Run a job now: `available`, `redriven`, or why not: `running`, `ended`, `unknown`."""
    return Statement(sql("jobs/retry"), {"id": str(job_id)}, first)


def show(job_id: UUID) -> Statement[JobDetails]:
    """Find one job, wherever it is."""
    return Statement(sql("jobs/show"), {"id": str(job_id)}, lambda row: JobDetails(*row))


# To be behind so many is to be behind very many.
MOST_AHEAD = 10_000


def why(job_id: UUID) -> Statement[Facts]:
    """Find what the books say of why a job is not running. No row: it is unknown."""
    params = {"id": str(job_id), "most": MOST_AHEAD, "key": LEADER_LOCK}
    return Statement(sql("jobs/why"), params, _facts)


def _facts(row: tuple[Any, ...]) -> Facts:
    at = len(Facts._fields) - 1
    return Facts(*row[:at], gate=None if row[at] is None else Gate._make(row[at:]))


def standing(job_id: UUID) -> Statement[Standing]:
    """Find how one job stands. No row: it is unknown."""
    return Statement(sql("jobs/standing"), {"id": str(job_id)}, Standing._make)


def list_jobs(
    *, state: str | None, queue: str | None, task: str | None, limit: int
) -> Statement[JobRecord]:
    """Find the newest jobs that fit every filter that is not None."""
    params = {"state": state, "queue": queue, "task": task, "limit": limit}
    return Statement(sql("jobs/list"), params, record)
