"""Steps of several transactions at once, over psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from jobqueue.store import claims, maintenance, workers
from jobqueue.store import jobs as statements
from jobqueue.store.claims import Claimed
from jobqueue.store.database import executor, to_conninfo
from jobqueue.store.statement import run
from tests.client.books import rows


@contextmanager
def transaction(url: str, *, isolation: psycopg.IsolationLevel | None = None) -> Iterator[Any]:
    """A connection whose transaction commits at the end, unless the body rolled back."""
    with psycopg.connect(to_conninfo(url)) as connection:
        connection.isolation_level = isolation
        # What would wait for ever fails instead, and the test with it.
        connection.execute("SET lock_timeout = '15s'")
        connection.commit()
        yield connection


def claimed(url: str, task: str, limit: int = 100) -> list[Claimed]:
    """Claim what a worker would run now."""
    with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
        execute = executor(connection)
        [worker] = run(
            execute,
            workers.register(
                name="w", hostname="h", pid=1, queues={"default": limit}, lease_seconds=60
            ),
        )
        return claims.look(run(execute, claims.claim(worker, {"default": limit}, [task]))).jobs


def completed(url: str, job: Claimed) -> None:
    """Complete a claimed job."""
    with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
        done = statements.ack_completed(f"{{{job.id}}}", f"{{{job.lease}}}", "{1}")
        assert run(executor(connection), done) == []


def settled(url: str, limit: int = 1000) -> int:
    """Let the leader settle what is contested, once."""
    with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
        [number] = run(executor(connection), maintenance.settle(limit))
        return number


def waiting_jobs(url: str) -> list[dict[str, Any]]:
    """Give the jobs that are alive, oldest first."""
    return rows(url, "SELECT * FROM jobqueue.jobs ORDER BY enqueued_at, id")


def duplicates(url: str) -> dict[UUID, str]:
    """Give what history says of the jobs that were cancelled, by id."""
    query = "SELECT id, errors FROM jobqueue.job_history WHERE state = 'cancelled'"
    return {row["id"]: row["errors"][-1]["message"] for row in rows(url, query)}
