"""A key is given up at claim, so that whatever brings its job back meets nobody."""

from __future__ import annotations

import json

import psycopg
import pytest

from jobqueue import Unique
from jobqueue.core.options import EnqueueOptions
from jobqueue.store import jobs, maintenance, stats, workers
from tests.store.steps import (
    FAILURE,
    bury,
    claim,
    complete,
    do,
    enqueue,
    expire,
    register,
    reschedule,
    show,
    states,
)

KEY = Unique.skip("k")


def args_of(session, job_id):
    """Give the arguments of a job that is alive, as they are stored."""
    [args] = session.execute("SELECT args FROM jobqueue.jobs WHERE id = %s", [job_id]).fetchone()
    return args


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


@pytest.mark.parametrize(
    "unique",
    [Unique.replace("k"), Unique.debounce("k", delay=60, longest=600)],
    ids=["replace", "debounce"],
)
def test_what_is_settled_late_does_not_undo_a_newer_enqueue(session, other, unique):
    first = enqueue(session, args='{"n": 1}', unique=unique)
    with other.transaction():
        enqueue(other, unique=KEY)
        older = enqueue(session, args='{"n": 2}', unique=unique)
    assert show(session, older).state == "blocked"
    assert enqueue(session, args='{"n": 3}', unique=unique) == first
    assert do(session, maintenance.settle(10)) == [1]
    assert (args_of(session, first), show(session, older).state) == ({"n": 3}, "cancelled")


def test_a_job_claimed_by_an_older_release_keeps_no_key_from_a_new_one(session):
    """Workers of 0.1.0 know of no keys, and leave them with the job they claim."""
    first = enqueue(session, args='{"n": 1}', unique=KEY)
    hash_before = "SELECT unique_hash FROM jobqueue.jobs WHERE id = %s"
    [key_hash] = session.execute(hash_before, [first]).fetchone() or [None]
    worker = register(session)
    [job] = claim(session, worker)
    for unique in (Unique.replace("k"), KEY):
        session.execute(
            "UPDATE jobqueue.jobs SET unique_hash = %s, unique_key = 'k' WHERE id = %s",
            [key_hash, first],
        )
        second = enqueue(session, args='{"n": 2}', unique=unique)
        assert second != first
        assert (args_of(session, first), show(session, second).state) == ({"n": 1}, "available")
        do(session, jobs.cancel(second))
    assert complete(session, job) == []


def test_met_in_opposite_order_by_those_who_cancel_neither_waits_for_the_other(session, other):
    one, two = (enqueue(session, unique=Unique.skip(key)) for key in "12")
    with session.transaction(), other.transaction():
        assert do(session, jobs.cancel(one)) == ["cancelled"]
        assert do(other, jobs.cancel(two)) == ["cancelled"]
        again = enqueue(session, unique=Unique.skip("2"))
        also = enqueue(other, unique=Unique.skip("1"))
        assert {again, also}.isdisjoint({one, two})
    do(session, maintenance.settle(10))
    assert states(session) == {"cancelled": 2, "available": 2}


def test_an_empty_key_is_a_key_in_many_too(session):
    jobs_asked = jobs.enqueue_many(
        "work", "[{}, {}]", EnqueueOptions(idempotency_key=""), [("", None), ("", None)]
    )
    assert [one.outcome for one in do(session, jobs_asked)] == ["inserted", "met"]


def test_what_sql_leaves_out_by_null_is_refused_in_words(session):
    for wrong in ("unique_mode => NULL", "idempotency_retention => NULL"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=wrong.partition(" ")[0]):
            call = f"jobqueue.enqueue_v1('work', unique_key => 'k', {wrong})"
            session.execute(f"SELECT {call}".encode())
