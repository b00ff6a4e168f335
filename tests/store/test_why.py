"""Why a job is not running: each reason, from what the books say."""

from __future__ import annotations

import json
from uuid import uuid4

import psycopg
import pytest

from jobqueue import JobQueue, JobUnknown
from jobqueue.store import jobs, workers
from jobqueue.store.grants import Purpose
from tests.store.roles import connected_as
from tests.store.steps import claim, complete, do, enqueue, enqueue_many, expire, register

asking = JobQueue()


def codes(connection: psycopg.Connection, job: object) -> list[str]:
    return [one.code for one in asking.why(connection, str(job))]


def text(connection: psycopg.Connection, job: object) -> str:
    return "; ".join(one.text for one in asking.why(connection, str(job)))


def enter(connection: psycopg.Connection, *tasks: str, queue: str = "default") -> int:
    [worker] = do(
        connection,
        workers.register(
            name="w", hostname="h", pid=1, queues={queue: 5}, lease_seconds=60, tasks=tasks
        ),
    )
    return worker


def test_a_job_that_is_about_to_run_has_nothing_in_its_way(connection) -> None:
    enter(connection, "work")
    assert codes(connection, enqueue(connection)) == ["next"]


def test_nobody_serves_its_queue_or_has_its_task(connection) -> None:
    job = enqueue(connection)
    assert codes(connection, job) == ["no_worker"]
    other = enter(connection, "work", queue="other")
    assert codes(connection, job) == ["queue_not_served"]
    enter(connection, "another task")
    assert codes(connection, job) == ["task_unknown_here"]
    expire(connection, other)
    assert codes(connection, job) == ["task_unknown"]
    assert "'work'" in text(connection, job)
    register(connection)  # of an older release: it does not say which tasks it has
    assert codes(connection, job) == ["next"]


def test_a_worker_that_drains_takes_no_more(connection) -> None:
    worker = enter(connection, "work")
    do(connection, workers.heartbeat(worker, lease_seconds=60, draining=True))
    assert codes(connection, enqueue(connection)) == ["no_worker"]


def test_it_is_paused(connection) -> None:
    enter(connection, "work")
    job = enqueue(connection)
    asking.pause(connection, queue="default", reason="their server is down")
    assert codes(connection, job) == ["queue_paused"]
    assert "their server is down" in text(connection, job)
    asking.pause(connection, task="work")
    assert codes(connection, job) == ["queue_paused", "task_paused"]


def test_it_is_behind_others_and_the_workers_are_busy(connection, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "MOST_AHEAD", 20)
    worker = enter(connection, "work")
    enqueue_many(connection, 12)
    job = enqueue(connection)
    enqueue(connection)
    assert codes(connection, job) == ["behind"]
    assert "behind about 12 others" in text(connection, job)
    connection.execute("UPDATE jobqueue.jobs SET run_at = run_at - interval '1 minute'")
    assert codes(connection, job) == ["behind", "workers_full"]
    do(connection, workers.sleep(worker, ["default"]))
    assert codes(connection, job) == ["behind"]
    enqueue_many(connection, 30, priority="critical")
    assert "behind at least 20 others" in text(connection, job)


def test_it_is_due_later_or_has_a_deadline(connection) -> None:
    enter(connection, "work")
    later = enqueue(connection, delay=3600)
    assert codes(connection, later) == ["scheduled"]
    assert "due in 60 min" in text(connection, later)
    both = enqueue(connection, delay=60, expires_in=60)
    assert codes(connection, both) == ["scheduled", "expires"]
    connection.execute("UPDATE jobqueue.jobs SET run_at = now() - interval '1 minute'")
    assert codes(connection, later) == ["no_leader"]
    connection.execute("UPDATE jobqueue.jobs SET expires_at = now() WHERE id = %s", [both])
    assert codes(connection, both) == ["no_leader", "expired"]


def test_another_transaction_holds_its_key(connection) -> None:
    enter(connection, "work")
    job = enqueue(connection)
    connection.execute("UPDATE jobqueue.jobs SET state = 'blocked', contested = '{}'")
    assert codes(connection, job) == ["contested"]


def test_it_runs_or_has_ended(connection) -> None:
    worker = enter(connection, "work")
    job = enqueue(connection)
    [claimed] = claim(connection, worker)
    assert codes(connection, job) == ["running"]
    assert "on worker w" in text(connection, job)
    complete(connection, claimed)
    assert codes(connection, job) == ["completed"]


def test_one_that_nobody_knows_is_an_error(connection) -> None:
    with pytest.raises(JobUnknown):
        asking.why(connection, uuid4())


def test_a_role_that_may_only_look_may_ask(connection, database_url) -> None:
    job = enqueue(connection)
    connection.commit()
    with connected_as(database_url, Purpose.READ) as reader:
        assert codes(reader, job) == ["no_worker"]


def test_the_jobs_ahead_are_counted_by_the_index(connection) -> None:
    enqueue_many(connection, 2000)
    job = enqueue(connection)
    connection.execute("ANALYZE jobqueue.jobs")
    statement = jobs.why(job)
    row = connection.execute(
        b"EXPLAIN (FORMAT json) " + statement.text.encode(), dict(statement.params)
    ).fetchone()
    assert row is not None
    plan = json.dumps(row[0])
    assert "jobs_claim" in plan
    assert "jobs_pkey" in plan
