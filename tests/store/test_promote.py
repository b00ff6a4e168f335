"""Promoting: jobs become available when they are due, and not before."""

from __future__ import annotations

from jobqueue.store import maintenance
from tests.store.steps import claim, do, enqueue, enqueue_many, let_pass, register, show, states


def promote(session, limit: int = 100) -> maintenance.Promoted:
    [promoted] = do(session, maintenance.promote(limit))
    return promoted


def test_a_due_job_becomes_available_and_one_due_later_does_not(session):
    due = enqueue(session, delay=60)
    later = enqueue(session, delay=600)
    let_pass(session, 61)
    assert promote(session).jobs == 1
    assert show(session, due).state == "available"
    assert show(session, later).state == "scheduled"


def test_the_time_until_the_next_job_is_due_is_told(session):
    enqueue(session, delay=600)
    enqueue(session, delay=60)
    jobs, next_seconds = promote(session)
    assert jobs == 0
    assert next_seconds is not None
    assert 30 < next_seconds <= 60


def test_with_nothing_scheduled_there_is_no_next_job(session):
    enqueue(session)
    assert promote(session) == (0, None)


def test_the_earliest_are_promoted_first_when_there_are_more_than_the_limit(session):
    ids = [enqueue(session, delay=delay) for delay in (30, 10, 40, 20)]
    let_pass(session, 60)
    assert promote(session, 2).jobs == 2
    found = [show(session, one).state for one in ids]
    assert found == ["scheduled", "available", "scheduled", "available"]
    assert promote(session, 2).jobs == 2
    assert promote(session, 2).jobs == 0


def test_promoted_jobs_run_in_the_order_they_were_due(session):
    ids = [str(enqueue(session, delay=delay)) for delay in (30, 10, 40, 20)]
    let_pass(session, 60)
    promote(session)
    claimed = [job.id for job in claim(session, register(session))]
    assert claimed == [ids[1], ids[3], ids[0], ids[2]]


def test_promotion_touches_no_job_in_another_state(session):
    enqueue(session, delay=60)
    enqueue_many(session, 3)
    claim(session, register(session), 1)
    before = states(session)
    assert promote(session).jobs == 0
    assert states(session) == before


def test_two_leaders_promoting_at_once_share_the_work(session, other):
    enqueue_many(session, 10, delay=60)
    let_pass(session, 61)
    with session.transaction():
        assert promote(session, 4).jobs == 4
        assert promote(other, 100).jobs == 6
    assert states(session) == {"available": 10}
