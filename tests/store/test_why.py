"""Why a job is not running: each reason, from what the books say."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import psycopg
import pytest

from jobqueue import Concurrency, JobQueue, JobUnknown, RateLimit
from jobqueue.core.limits import Flow
from jobqueue.store import gates, jobs, workers
from jobqueue.store.grants import Purpose
from tests.store.limited import admit, gated, limit
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
    connection.execute("SET LOCAL enable_seqscan = off")  # the table is small
    statement = jobs.why(job)
    row = connection.execute(
        b"EXPLAIN (FORMAT json) " + statement.text.encode(), dict(statement.params)
    ).fetchone()
    assert row is not None
    plan = json.dumps(row[0])
    assert "jobs_claim" in plan
    assert "jobs_pkey" in plan


def last(connection: psycopg.Connection) -> object:
    [(job,)] = connection.execute(
        "SELECT id FROM jobqueue.jobs ORDER BY run_at DESC, id DESC LIMIT 1"
    ).fetchall()
    return job


def test_it_waits_for_its_key(connection) -> None:
    enter(connection, "work")
    limit(connection, Concurrency(2, name="imports", key="customer"))
    gated(connection, 6, Flow(concurrency="imports"), key="acme")
    assert admit(connection) == 2
    job = last(connection)
    assert codes(connection, job) == ["waits_for_key"]
    assert "'imports' for key 'acme' lets 2 run at once" in text(connection, job)
    assert "behind about 3 others" in text(connection, job)
    asking.pause(connection, limit="imports", key="acme", reason="broken files")
    assert codes(connection, job) == ["key_paused", "waits_for_key"]
    assert "broken files" in text(connection, job)
    asking.resume(connection, limit="imports", key="acme")
    do(connection, gates.hold("imports", 3600, None))
    assert codes(connection, job) == ["limit_held", "waits_for_key"]


def test_it_waits_for_its_rate_until_about_when(connection) -> None:
    enter(connection, "work")
    limit(connection, RateLimit("api", 6, per=60))
    gated(connection, 10, Flow(rate="api"))
    assert admit(connection) == 1
    job = last(connection)
    assert codes(connection, job) == ["waits_for_rate"]
    assert "lets 6 start in 60.0 s; it is behind about 8 others" in text(connection, job)
    assert re.search(r"(90|8\d)\.\d s from now", text(connection, job))
    do(connection, gates.hold("api", 3600, None))
    assert codes(connection, job) == ["limit_held", "waits_for_rate"]
    assert "61 min from now" in text(connection, job)
    asking.pause(connection, limit="api", key="")
    assert codes(connection, job) == ["key_paused", "limit_held", "waits_for_rate"]


def test_its_limit_is_not_known_yet(connection) -> None:
    enter(connection, "work")
    gated(connection, 1, Flow(rate="api"))
    assert codes(connection, last(connection)) == ["limit_unknown"]


def test_the_places_of_its_queue_are_taken(connection) -> None:
    worker = enter(connection, "work")
    do(connection, gates.set_queue_limit("default", 3))
    job = enqueue(connection)
    assert do(connection, gates.share_places(worker, "default", 0, 10)) == [3]
    assert codes(connection, job) == ["queue_full"]


@pytest.mark.parametrize(
    ("flow", "index"),
    [
        (Flow(concurrency="busy"), "jobs_at_concurrency"),
        (Flow(rate="busy"), "jobs_at_rate"),
    ],
)
def test_the_jobs_ahead_at_a_gate_are_counted_by_its_index(connection, flow, index) -> None:
    gated(connection, 5_000, flow)
    connection.execute("ANALYZE jobqueue.jobs")
    connection.execute("SET LOCAL enable_seqscan = off")  # the table is small
    statement = jobs.why(last(connection))
    [(plan,)] = connection.execute(
        b"EXPLAIN (FORMAT json) " + statement.text.encode(), dict(statement.params)
    ).fetchall()
    assert index in json.dumps(plan)
