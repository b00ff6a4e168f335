"""Rescue: jobs of a worker whose lease expired go to others, and only those."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobqueue.store import maintenance, workers
from tests import waiting
from tests.store.steps import (
    bury,
    claim,
    complete,
    do,
    enqueue,
    enqueue_many,
    expire,
    register,
    reschedule,
    show,
    states,
)


def rescue(session) -> list[maintenance.Rescued]:
    return do(session, maintenance.rescue())


def names(session) -> list[str]:
    return [worker.name for worker in do(session, workers.list_workers())]


def lost_worker(session, jobs: int, **options) -> list[str]:
    """Let a worker claim so many jobs and then fall silent; gives the jobs' ids."""
    enqueue_many(session, jobs, **options)
    worker = register(session, "lost")
    claimed = [job.id for job in claim(session, worker)]
    expire(session, worker)
    return claimed


def test_jobs_of_a_lost_worker_are_available_at_once_and_say_why(session):
    [job_id] = lost_worker(session, 1)
    assert rescue(session) == [("lost", 1, 0, 0)]
    record = show(session, job_id)
    assert (record.state, record.attempt, record.worker_id) == ("available", 1, None)
    assert record.started_at is None
    [error] = record.errors or []
    assert error["error"] == "WorkerLost"
    assert "worker lost stopped sending heartbeats" in error["message"]
    assert error["attempt"] == 1
    assert error["started_at"] <= error["failed_at"]
    assert [job.attempt for job in claim(session, register(session))] == [2]


def test_a_job_that_has_lost_its_last_attempt_with_its_worker_is_a_dead_letter(session):
    [job_id] = lost_worker(session, 1, attempts=1)
    assert rescue(session) == [("lost", 0, 1, 0)]
    record = show(session, job_id)
    assert (record.state, record.attempt) == ("dead", 1)
    assert [error["error"] for error in record.errors or []] == ["WorkerLost"]
    assert record.finished_at is not None


def test_a_job_that_keeps_killing_its_workers_ends_as_a_dead_letter(session):
    job_id = enqueue(session, attempts=3)
    for _ in range(3):
        worker = register(session, "victim")
        session.execute("UPDATE jobqueue.jobs SET state = 'available'")
        assert len(claim(session, worker)) == 1
        expire(session, worker)
        assert len(rescue(session)) == 1
    record = show(session, job_id)
    assert record.state == "dead"
    assert [error["attempt"] for error in record.errors or []] == [1, 2, 3]


def test_jobs_lost_together_again_part_from_each_other(session):
    """One of them may be what kills the workers; it shall not take all the others with it."""
    enqueue_many(session, 40)
    seconds = "extract(epoch FROM run_at - now())::float8"
    longest = {1: 0.0, 2: 10.0, 3: 20.0}
    for losses, limit in longest.items():
        worker = register(session, "victim")
        assert len(claim(session, worker)) == 40
        expire(session, worker)
        assert rescue(session) == [("victim", 40, 0, 0)]
        found = session.execute(f"SELECT state, {seconds} FROM jobqueue.jobs".encode()).fetchall()
        assert {state for state, _ in found} == {"scheduled" if limit else "available"}, losses
        delays = [delay for _, delay in found]
        assert max(delays) <= limit
        if limit:
            assert max(delays) - min(delays) > limit / 2
        session.execute("UPDATE jobqueue.jobs SET state = 'available'")


def test_the_lost_worker_is_struck_off_and_its_heartbeat_tells_it_so(session):
    lost_worker(session, 1)
    [lost] = do(session, workers.list_workers())
    assert lost.expired
    rescue(session)
    assert names(session) == []
    assert do(session, workers.heartbeat(lost.id, lease_seconds=60, draining=False)) == []


def test_live_workers_keep_their_jobs(session):
    enqueue_many(session, 4)
    alive = register(session, "alive")
    kept = claim(session, alive, 2)
    expired = register(session, "expired")
    claim(session, expired, 2)
    expire(session, expired)
    assert rescue(session) == [("expired", 2, 0, 0)]
    assert names(session) == ["alive"]
    assert {show(session, job.id).worker_id for job in kept} == {alive}
    assert states(session) == {"available": 2, "running": 2}


def test_a_heartbeat_in_time_keeps_the_lease(session):
    lost_worker(session, 1)
    [worker] = do(session, workers.list_workers())
    assert do(session, workers.heartbeat(worker.id, lease_seconds=60, draining=True)) == [worker.id]
    assert rescue(session) == []
    [worker] = do(session, workers.list_workers())
    assert (worker.expired, worker.draining) == (False, True)


def test_an_expired_worker_without_jobs_is_struck_off_too(session):
    expire(session, register(session, "idle"))
    assert rescue(session) == [("idle", 0, 0, 0)]
    assert names(session) == []


def test_each_lost_worker_is_told_with_its_own_numbers(session):
    for name, jobs in (("one", 1), ("three", 3)):
        enqueue_many(session, jobs)
        worker = register(session, name)
        claim(session, worker)
        expire(session, worker)
    assert sorted(rescue(session)) == [("one", 1, 0, 0), ("three", 3, 0, 0)]


def test_what_the_lost_worker_says_afterwards_changes_nothing(session):
    enqueue_many(session, 2)
    worker = register(session)
    claimed = claim(session, worker)
    expire(session, worker)
    rescue(session)
    before = [show(session, job.id) for job in claimed]
    assert len(complete(session, *claimed)) == 2
    assert [show(session, job.id) for job in claimed] == before


def blocked(session) -> bool:
    query = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return session.execute(query).fetchone() == (True,)


ACKS = [(complete, "completed"), (bury, "dead"), (reschedule, "available")]


@pytest.mark.parametrize(("ack", "state"), ACKS)
def test_an_ack_that_comes_first_wins_over_the_rescue(session, other, ack, state):
    job_id = enqueue(session)
    worker = register(session)
    claimed = claim(session, worker)
    expire(session, worker)
    with ThreadPoolExecutor(1) as pool:
        with session.transaction():
            assert ack(session, *claimed) == []
            rescued = pool.submit(rescue, other)
            waiting.until(
                lambda: blocked(session) or rescued.done(), what="the rescue waits for the ack"
            )
        assert rescued.result(20) == [("w", 0, 0, 0)]
    record = show(session, job_id)
    assert record.state == state
    assert "WorkerLost" not in str(record.errors)


@pytest.mark.parametrize("ack", [complete, bury, reschedule])
def test_a_rescue_that_comes_first_makes_the_ack_stale(session, other, ack):
    job_id = enqueue(session)
    worker = register(session)
    claimed = claim(session, worker)
    expire(session, worker)
    with ThreadPoolExecutor(1) as pool:
        with session.transaction():
            assert rescue(session) == [("w", 1, 0, 0)]
            acked = pool.submit(ack, other, *claimed)
            waiting.until(
                lambda: blocked(session) or acked.done(), what="the ack waits for the rescue"
            )
        assert acked.result(20) == [str(job_id)]
    assert show(session, job_id).state == "available"


def test_two_leaders_rescuing_at_once_take_each_worker_once(session, other):
    lost_worker(session, 3)
    with session.transaction():
        assert rescue(session) == [("lost", 3, 0, 0)]
        assert rescue(other) == []
    assert states(session) == {"available": 3}


def test_running_jobs_of_a_worker_that_is_no_longer_in_the_books_are_rescued_too(session):
    ids = lost_worker(session, 2)
    rescue(session)
    session.execute(
        "UPDATE jobqueue.jobs "
        "SET state = 'running', worker_id = 4711, started_at = now(), errors = NULL"
    )
    live = register(session)
    enqueue(session)
    claim(session, live)
    assert rescue(session) == []
    assert do(session, maintenance.rescue_orphans()) == [4711]
    assert [(one.retried, one.buried) for one in rescue(session)] == [(2, 0)]
    assert [show(session, one).state for one in ids] == ["available"] * 2
    assert states(session) == {"available": 2, "running": 1}
    assert do(session, maintenance.rescue_orphans()) == []
