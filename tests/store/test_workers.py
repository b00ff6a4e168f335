"""Workers in the books, waking them, who leads, and the numbers of the queues."""

from __future__ import annotations

import psycopg
import pytest

from jobqueue.store import maintenance, stats, workers
from jobqueue.store.database import to_conninfo
from tests import waiting
from tests.store.steps import (
    claim,
    do,
    enqueue,
    enqueue_many,
    expire,
    in_state,
    let_pass,
    register,
    reschedule,
)


def test_a_registered_worker_is_in_the_books(session):
    worker_id = register(session, "host-1", email=20, default=5)
    [worker] = do(session, workers.list_workers())
    assert (worker.id, worker.name, worker.queues) == (worker_id, "host-1", ["email", "default"])
    assert (worker.concurrency, worker.expired, worker.draining) == (25, False, False)


def test_no_two_workers_ever_have_the_same_id(session):
    ids = [register(session) for _ in range(3)]
    for worker_id in ids:
        do(session, workers.leave(worker_id))
    ids += [register(session) for _ in range(3)]
    assert len(set(ids)) == 6


def test_a_worker_that_leaves_is_struck_off(session):
    worker_id = register(session)
    assert do(session, workers.leave(worker_id)) == [worker_id]
    assert do(session, workers.leave(worker_id)) == []
    assert do(session, workers.list_workers()) == []


def test_a_heartbeat_moves_the_lease_on(session):
    worker_id = register(session)
    expire(session, worker_id)
    assert [worker.expired for worker in do(session, workers.list_workers())] == [True]
    do(session, workers.heartbeat(worker_id, lease_seconds=30, draining=False))
    assert [worker.expired for worker in do(session, workers.list_workers())] == [False]


@pytest.fixture
def listener(database_url):
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as it:
        do(it, workers.listen())
        yield it


def heard(listener, number: int) -> list[str]:
    """Wait for so many wake-ups and give their queues; fails if there are fewer."""
    found = [note.payload for note in listener.notifies(timeout=20, stop_after=number)]
    assert len(found) == number
    return found


def test_a_worker_that_sleeps_is_woken_by_an_enqueue_for_its_queue_and_by_no_other(
    session, listener
):
    worker_id = register(session, a=1, b=1, last=1)
    enqueue(session, queue="a")
    do(session, workers.sleep(worker_id, ["b", "last"]))
    enqueue(session, queue="a")
    enqueue(session, queue="b", delay=60)
    enqueue(session, queue="b")
    enqueue(session, queue="last")
    assert heard(listener, 2) == ["b", "last"]


def test_a_worker_that_woke_is_not_woken_again(session, listener):
    worker_id = register(session)
    do(session, workers.sleep(worker_id, ["default"]))
    do(session, workers.sleep(worker_id, []))
    enqueue(session)
    do(session, workers.sleep(worker_id, ["last"]))
    enqueue(session, queue="last")
    assert heard(listener, 1) == ["last"]


def test_one_transaction_wakes_a_queue_once_and_only_if_it_commits(session, listener):
    do(session, workers.sleep(register(session), ["default", "last"]))
    with session.transaction(force_rollback=True):
        enqueue(session)
    with session.transaction():
        enqueue_many(session, 50)
        enqueue(session)
    enqueue(session, queue="last")
    assert heard(listener, 2) == ["default", "last"]


def test_jobs_that_become_available_wake_their_queue(session, listener):
    sleeper = register(session, "sleeper")
    do(session, workers.sleep(sleeper, ["default"]))
    enqueue(session, delay=60)
    let_pass(session, 61)
    do(session, maintenance.promote(10))
    assert heard(listener, 1) == ["default"]
    lost = register(session, "lost")
    claim(session, lost)
    expire(session, lost)
    do(session, maintenance.rescue())
    assert heard(listener, 1) == ["default"]
    do(session, workers.wake(["default", "unslept"]))
    assert heard(listener, 1) == ["default"]


@pytest.mark.parametrize("call", ["retry_v1", "redrive_v1"])
def test_a_job_put_back_by_hand_wakes_its_queue(session, listener, call):
    job_id = in_state(session, "scheduled" if call == "retry_v1" else "dead")
    do(session, workers.sleep(register(session), ["default"]))
    session.execute(f"SELECT jobqueue.{call}(%s)".encode(), [job_id])
    assert heard(listener, 1) == ["default"]


def absent(session) -> bool:
    [candidacy] = do(session, maintenance.candidacy())
    return candidacy.absent


def test_one_session_leads_and_another_may_when_it_is_gone(session, database_url):
    assert absent(session)
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as leader:
        assert do(leader, maintenance.lock_leader()) == [True]
        assert do(session, maintenance.lock_leader()) == [False]
        assert not absent(session)
    # The server notices a moment later that the session is gone.
    waiting.until(lambda: do(session, maintenance.lock_leader()) == [True], what="it may lead")


def test_leaders_of_two_databases_do_not_stand_in_each_others_way(session, empty_database_url):
    with psycopg.connect(to_conninfo(empty_database_url), autocommit=True) as elsewhere:
        assert do(elsewhere, maintenance.lock_leader()) == [True]
        assert absent(session)
        assert do(session, maintenance.lock_leader()) == [True]


def test_each_queue_is_counted(session):
    worker = register(session, "w", email=5, quiet=1)
    enqueue_many(session, 3, queue="email")
    enqueue(session, queue="email", delay=60)
    claimed = claim(session, worker, email=1)
    enqueue(session, queue="unserved")
    in_state(session, "dead")
    found = {one.queue: one for one in do(session, stats.queues())}
    email = found["email"]
    assert (email.available, email.scheduled, email.running, email.dead) == (2, 1, 1, 0)
    assert email.workers == 1
    assert email.oldest_seconds is not None
    assert 0 <= email.oldest_seconds < 60
    assert (found["quiet"].available, found["quiet"].oldest_seconds) == (0, None)
    assert (found["unserved"].available, found["unserved"].workers) == (1, 0)
    assert found["default"].dead == 1
    assert [one.queue for one in do(session, stats.queues())] == sorted(found)
    expire(session, worker)
    assert {one.queue: one.workers for one in do(session, stats.queues())}["email"] == 0
    reschedule(session, *claimed)
