"""Steps that the store's tests are made of: each is one statement of the product."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from jobqueue.core.options import EnqueueOptions, UsingOptions
from jobqueue.store import claims, jobs, workers
from jobqueue.store.claims import Claimed
from jobqueue.store.database import executor
from jobqueue.store.jobs import JobRecord
from jobqueue.store.statement import Statement, run

Row = TypeVar("Row")

FAILURE = {"error": "ValueError", "message": "no", "traceback": "Traceback …"}


def do(connection: psycopg.Connection, statement: Statement[Row]) -> list[Row]:
    """Execute one statement."""
    return run(executor(connection), statement)


def enqueue(
    connection: psycopg.Connection, task: str = "work", args: str = "{}", **options: Any
) -> UUID:
    """Enqueue one job and give its id. options: as `.using` takes them."""
    chosen = EnqueueOptions().using(UsingOptions(**options))
    [enqueued] = do(connection, jobs.enqueue(task, args, chosen, chosen.keys({})))
    return enqueued.id


def enqueue_many(connection: psycopg.Connection, number: int, **options: Any) -> list[UUID]:
    """Enqueue so many jobs with the arguments {"n": 0}, {"n": 1} …"""
    chosen = EnqueueOptions().using(UsingOptions(**options))
    args = json.dumps([{"n": n} for n in range(number)])
    return [one.id for one in do(connection, jobs.enqueue_many("work", args, chosen))]


def register(
    connection: psycopg.Connection, name: str = "w", *, lease_seconds: float = 60, **queues: int
) -> int:
    """Enter a worker in the books and give its id."""
    [worker] = do(
        connection,
        workers.register(
            name=name,
            hostname="host",
            pid=1,
            queues=queues or {"default": 10},
            lease_seconds=lease_seconds,
        ),
    )
    return worker


def enter_task(connection: psycopg.Connection, name: str = "work", *secrets: str) -> None:
    """Enter a task as a worker does that has it; until then all its arguments are hidden."""
    task = {"name": name, "queue": "default", "priority": 5, "max_attempts": 5, "secrets": secrets}
    do(connection, workers.register_tasks(json.dumps([task])))


def claim(
    connection: psycopg.Connection,
    worker: int,
    limit: int = 100,
    *,
    tasks: Sequence[str] = ("work",),
    **limits: int,
) -> list[Claimed]:
    """Claim up to `limit` jobs of the default queue, or so many of each queue named."""
    rows = do(connection, claims.claim(worker, limits or {"default": limit}, list(tasks)))
    return claims.look(rows).jobs


def expire(connection: psycopg.Connection, worker: int) -> None:
    """Let the lease of `worker` end now."""
    do(connection, workers.heartbeat(worker, lease_seconds=0, draining=False))


def outcomes(*claimed: Claimed, **fields: object) -> str:
    """Give the JSON in which a worker sends outcomes, with `fields` in each."""
    return json.dumps([{"id": job.id, "lease": job.lease, **fields} for job in claimed])


def complete(connection: psycopg.Connection, *claimed: Claimed) -> list[str]:
    """Ack as completed; gives the stale ids."""
    ids = ",".join(job.id for job in claimed)
    leases = ",".join(str(job.lease) for job in claimed)
    run_ms = ",".join("1.5" for _ in claimed)
    return do(connection, jobs.ack_completed(f"{{{ids}}}", f"{{{leases}}}", f"{{{run_ms}}}"))


def give(connection: psycopg.Connection, *claimed: Claimed, result: object) -> list[str]:
    """Ack as completed with what was returned; gives the stale ids."""
    ids, leases = [job.id for job in claimed], [job.lease for job in claimed]
    results = [json.dumps(result)] * len(claimed)
    return do(connection, jobs.ack_returned(ids, leases, [1.5] * len(claimed), results))


def forget(connection: psycopg.Connection, *claimed: Claimed) -> list[str]:
    """Ack as completed without a trace; gives the stale ids."""
    ids = ",".join(job.id for job in claimed)
    leases = ",".join(str(job.lease) for job in claimed)
    return do(connection, jobs.ack_forgotten(f"{{{ids}}}", f"{{{leases}}}"))


def reschedule(
    connection: psycopg.Connection,
    *claimed: Claimed,
    delay_seconds: float = 0,
    refund: bool = False,
    error: object = None,
) -> list[str]:
    """Ack as to be run again; gives the stale ids."""
    sent = outcomes(*claimed, delay_seconds=delay_seconds, refund=refund, error=error)
    return do(connection, jobs.ack_rescheduled(sent))


def bury(connection: psycopg.Connection, *claimed: Claimed) -> list[str]:
    """Ack as failed for the last time; gives the stale ids."""
    return do(connection, jobs.ack_dead(outcomes(*claimed, error=FAILURE)))


def withdraw(connection: psycopg.Connection, *claimed: Claimed) -> list[str]:
    """Ack as cancelled by the job itself; gives the stale ids."""
    return do(connection, jobs.ack_cancelled(outcomes(*claimed, error=FAILURE)))


def show(connection: psycopg.Connection, job_id: UUID | str) -> JobRecord:
    """Find the one job of this id; fail if there are two or none."""
    [record] = do(connection, jobs.show(UUID(str(job_id))))
    return record


def states(connection: psycopg.Connection) -> dict[str, int]:
    """Count the jobs in each state."""
    query = "SELECT state, count(*) FROM jobqueue.all_jobs GROUP BY 1"
    return dict(connection.execute(query).fetchall())


def let_pass(connection: psycopg.Connection, seconds: float) -> None:
    """Make it so many seconds later for every job that waits to be due."""
    connection.execute(
        "UPDATE jobqueue.jobs SET run_at = run_at - make_interval(secs => %s)", [seconds]
    )


def in_state(connection: psycopg.Connection, state: str) -> UUID:
    """Make a job and bring it to `state`; `unknown`: make none."""
    if state == "unknown":
        return UUID(int=0)
    job_id = enqueue(connection, **({"delay": 60} if state == "scheduled" else {}))
    if state in {"running", "completed", "dead"}:
        worker = register(connection)
        [job] = claim(connection, worker)
        if state != "running":
            assert (complete if state == "completed" else bury)(connection, job) == []
    if state == "cancelled":
        do(connection, jobs.cancel(job_id))
    assert show(connection, job_id).state == state
    return job_id
