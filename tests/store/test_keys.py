"""A key is given up at claim, so that whatever brings its job back meets nobody."""

from __future__ import annotations

import json

import psycopg
import pytest

from jobqueue import Unique
from jobqueue.store import jobs, maintenance, stats, workers
from tests.store.steps import (
    FAILURE,
    bury,
    claim,
    do,
    enqueue,
    expire,
    register,
    reschedule,
    show,
    states,
)

KEY = Unique.skip("k")


@pytest.fixture(autouse=True)
def _without_keys(session: psycopg.Connection):
    for table in ("idempotency_keys", "throttles", "processed_ids"):
        session.execute(f"DELETE FROM jobqueue.{table}".encode())


def back_by_retry(session, worker, job):
    assert reschedule(session, job, delay_seconds=0, error=FAILURE) == []


def back_by_snooze(session, worker, job):
    assert reschedule(session, job, delay_seconds=60, refund=True) == []


def back_by_hand(session, worker, job):
    do(session, jobs.hand_back(worker, []))


def back_by_rescue(session, worker, job):
    expire(session, worker)
    do(session, maintenance.rescue())


def back_from_the_dead(session, worker, job):
    bury(session, job)
    assert do(session, jobs.retry(show(session, job.id).id)) == ["redriven"]


@pytest.mark.parametrize(
    "back", [back_by_retry, back_by_snooze, back_by_hand, back_by_rescue, back_from_the_dead]
)
def test_a_job_that_comes_back_meets_no_job_that_took_its_key_meanwhile(session, back):
    first = enqueue(session, unique=KEY)
    worker = register(session)
    [job] = claim(session, worker)
    second = enqueue(session, unique=KEY)
    assert second != first
    back(session, worker, job)
    assert show(session, first).state in {"available", "scheduled"}
    assert show(session, second).state == "available"
    # And the one that came back has no key any more: it is not who a new enqueue meets.
    assert enqueue(session, unique=KEY) == second


def test_a_cancelled_job_frees_its_key(session):
    first = enqueue(session, unique=KEY)
    assert do(session, jobs.cancel(first)) == ["cancelled"]
    assert enqueue(session, unique=KEY) != first


@pytest.fixture
def contested(session, other):
    """A job whose key another transaction held, blocked; the holder has ended since."""
    enqueue(session, unique=KEY)
    with other.transaction():
        enqueue(other, unique=KEY)
        return enqueue(session, unique=Unique.replace("k"))


def test_a_contested_job_is_shown_as_blocked_and_can_be_cancelled(session, contested):
    assert show(session, contested).state == "blocked"
    assert do(session, jobs.cancel(contested)) == ["cancelled"]
    assert do(session, maintenance.settle(10)) == [0]
    assert show(session, contested).state == "cancelled"


def test_a_contested_job_is_not_unknown_to_retry(session, contested):
    assert do(session, jobs.retry(contested)) != ["unknown"]
    do(session, maintenance.settle(10))
    assert show(session, contested).state == "cancelled"


def test_settling_decides_no_more_than_its_limit_and_loses_none(session, other):
    with other.transaction():
        for number in range(5):
            enqueue(session, unique=Unique.skip(str(number)))
            enqueue(other, unique=Unique.skip(str(number)))
        ids = [enqueue(session, unique=Unique.replace(str(n))) for n in range(5)]
        assert do(session, maintenance.settle(100)) == [0]
        assert {show(session, one).state for one in ids} == {"blocked"}
    assert [do(session, maintenance.settle(2))[0] for _ in range(4)] == [2, 2, 1, 0]
    assert states(session) == {"available": 5, "cancelled": 5}


def test_two_leaders_settling_at_once_decide_once(session, other, contested):
    with other.transaction():
        assert do(other, maintenance.settle(10)) == [1]
        assert do(session, maintenance.settle(10)) == [0]
    assert states(session) == {"available": 1, "cancelled": 1}


def test_forgetting_takes_what_is_over_in_small_steps_and_nothing_else(session):
    for number in range(5):
        enqueue(session, idempotency_key=str(number))
        enqueue(session, unique=Unique.throttle(str(number), window=60))
    session.execute("UPDATE jobqueue.idempotency_keys SET expires_at = now() WHERE key < '3'")
    assert [do(session, maintenance.forget(30, 2))[0] for _ in range(3)] == [2, 1, 0]
    left = session.execute("SELECT key FROM jobqueue.idempotency_keys ORDER BY 1").fetchall()
    assert left == [("3",), ("4",)]
    assert session.execute("SELECT count(*) FROM jobqueue.throttles").fetchone() == (5,)


def test_secret_arguments_are_hidden_wherever_jobs_are_shown(session):
    args = json.dumps({"token": "hunter2", "user": "ann"})
    known = {
        "name": "work",
        "queue": "default",
        "priority": 5,
        "max_attempts": 5,
        "secrets": ["token"],
    }
    do(session, workers.register_tasks(json.dumps([known])))
    dead, alive = enqueue(session, args=args), enqueue(session, args=args, delay=60)
    [job] = claim(session, register(session))
    assert json.loads(job.args)["token"] == "hunter2"
    bury(session, job)
    for job_id in (dead, alive):
        assert show(session, job_id).args == {"token": "[redacted]", "user": "ann"}
    for view in ("all_jobs", "dead_jobs"):
        shown = session.execute(f"SELECT args::text FROM jobqueue.{view}".encode()).fetchall()
        assert shown
        assert "hunter2" not in str(shown)
    assert do(session, stats.queues())
