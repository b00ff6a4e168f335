"""The view that clients insert through: what it takes, what it refuses, and whom it wakes."""

from __future__ import annotations

import psycopg
import pytest

from jobqueue.client.ids import new_id
from jobqueue.core.options import EnqueueOptions
from jobqueue.store import jobs, workers
from jobqueue.store.grants import Purpose
from tests.store.roles import connected_as
from tests.store.steps import claim, do, register, states

INSERT = """
    INSERT INTO jobqueue.new_jobs (
        id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
    VALUES (jobqueue.uuid_v7(), now(), now(), 5, %(max_attempts)s, %(state)s, %(queue)s, %(task)s,
            %(args)s::jsonb)
"""
GOOD = {"max_attempts": 5, "state": "available", "queue": "q", "task": "t", "args": "{}"}


def insert(session: psycopg.Connection, queue: str = "default") -> None:
    do(session, jobs.insert("work", "{}", EnqueueOptions(queue=queue), new_id()))


def test_what_was_inserted_is_claimed(session):
    job_id = new_id()
    [enqueued] = do(session, jobs.insert("work", '{"n": 1}', EnqueueOptions(), job_id))
    assert (enqueued.id, enqueued.outcome) == (job_id, "inserted")
    [job] = claim(session, register(session))
    assert (job.id, job.args, job.max_attempts) == (str(job_id), '{"n": 1}', 5)


@pytest.mark.parametrize(
    "bad",
    [
        {"state": "running"}, {"state": "blocked"}, {"queue": ""}, {"queue": "q" * 64},
        {"task": ""}, {"task": "t" * 201}, {"max_attempts": 0}, {"args": "[]"}, {"args": "null"},
        {"args": '{"text": "' + "x" * 8_400_000 + '"}'},
    ],
    ids=str,
)  # fmt: skip
def test_what_enqueue_refuses_is_refused_here_too(database_url, session, bad):
    with connected_as(database_url, Purpose.ENQUEUE) as enqueuer:
        enqueuer.execute(INSERT, GOOD)
        with pytest.raises(psycopg.errors.WithCheckOptionViolation):
            enqueuer.execute(INSERT, GOOD | bad)
    assert states(session) == {"available": 1}


@pytest.mark.parametrize(
    "attempt",
    [
        "SELECT FROM jobqueue.new_jobs",
        "UPDATE jobqueue.new_jobs SET args = '{}'",
        "DELETE FROM jobqueue.new_jobs",
        "INSERT INTO jobqueue.new_jobs (id) VALUES (jobqueue.uuid_v7()) RETURNING args",
    ],
)
def test_who_may_only_enqueue_sees_and_changes_nothing_through_it(database_url, session, attempt):
    insert(session)
    with (
        connected_as(database_url, Purpose.ENQUEUE) as enqueuer,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        enqueuer.execute(attempt.encode())


def test_only_a_worker_that_sleeps_in_the_queue_is_notified(session, other):
    worker = register(session)
    other.execute("LISTEN jobqueue")
    insert(session)
    do(session, workers.sleep(worker, ["post"]))
    insert(session)
    insert(session, "post")
    insert(session)
    # Each of them would have been heard before the last.
    session.execute("SELECT pg_notify('jobqueue', 'the end')")
    heard = []
    for notification in other.notifies(timeout=10):
        heard.append(notification.payload)
        if notification.payload == "the end":
            break
    assert heard == ["post", "the end"]
