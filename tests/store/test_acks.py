"""Acks: outcomes are recorded under the lease they were reached under, and not otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobqueue.store import jobs
from tests.store.steps import (
    FAILURE,
    bury,
    claim,
    complete,
    do,
    enqueue,
    enqueue_many,
    enter_task,
    expire,
    forget,
    register,
    reschedule,
    show,
    states,
    withdraw,
)

ACKS = {
    "completed": complete,
    "forgotten": forget,
    "rescheduled": reschedule,
    "dead": bury,
    "cancelled": withdraw,
}
every_ack = pytest.mark.parametrize("ack", ACKS.values(), ids=list(ACKS))


def test_a_completed_job_is_in_history_with_its_times(session):
    enter_task(session)
    job_id = enqueue(session, args='{"n": 1}', queue="default", priority=3, attempts=7)
    worker = register(session)
    [job] = claim(session, worker)
    assert complete(session, job) == []
    record = show(session, job_id)
    assert (record.state, record.attempt, record.worker_id) == ("completed", 1, worker)
    assert (record.args, record.priority, record.max_attempts) == ({"n": 1}, 3, 7)
    assert (record.run_ms, record.errors) == (1.5, None)
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.enqueued_at <= record.started_at <= record.finished_at
    assert session.execute("SELECT count(*) FROM jobqueue.jobs").fetchone() == (0,)


def test_a_job_that_is_forgotten_leaves_no_trace(session):
    enqueue_many(session, 2)
    worker = register(session)
    [first] = claim(session, worker, 1)
    assert forget(session, first) == []
    assert states(session) == {"available": 1}


def test_a_retried_job_waits_for_its_time_and_keeps_the_error(session):
    job_id = enqueue(session)
    worker = register(session)
    [job] = claim(session, worker)
    assert reschedule(session, job, delay_seconds=60, error=FAILURE) == []
    record = show(session, job_id)
    assert (record.state, record.attempt, record.worker_id) == ("scheduled", 1, None)
    assert record.started_at is None
    waits = record.run_at - record.enqueued_at
    assert timedelta(seconds=60) <= waits < timedelta(seconds=90)
    [error] = record.errors or []
    assert {name: error[name] for name in FAILURE} == FAILURE
    assert (error["attempt"], error["worker_id"]) == (1, worker)
    assert error["started_at"] <= error["failed_at"]


def test_a_job_retried_at_once_is_available_in_its_old_place(session):
    first, _ = enqueue_many(session, 2)
    worker = register(session)
    [job] = claim(session, worker, 1)
    reschedule(session, job, error=FAILURE)
    assert claim(session, worker, 1)[0].id == str(first)


def test_every_attempts_error_is_kept_in_order_up_to_the_dead_letter(session):
    job_id = enqueue(session, attempts=3)
    for attempt in (1, 2, 3):
        worker = register(session, name=f"w{attempt}")
        [job] = claim(session, worker)
        error = FAILURE | {"message": f"attempt {attempt}"}
        if attempt < 3:
            assert reschedule(session, job, error=error) == []
        else:
            assert bury(session, job) == []
    record = show(session, job_id)
    assert (record.state, record.attempt) == ("dead", 3)
    errors = record.errors or []
    assert [error["attempt"] for error in errors] == [1, 2, 3]
    assert [error["message"] for error in errors] == ["attempt 1", "attempt 2", "no"]
    assert len({error["worker_id"] for error in errors}) == 3


def test_a_snooze_gives_the_attempt_back_and_leaves_no_error(session):
    job_id = enqueue(session, attempts=1)
    worker = register(session)
    for _ in range(3):
        [job] = claim(session, worker)
        assert job.attempt == 1
        assert reschedule(session, job, delay_seconds=30, refund=True) == []
        record = show(session, job_id)
        assert (record.state, record.attempt, record.errors) == ("scheduled", 0, None)
        do(session, jobs.retry(job_id))


def test_errors_from_before_a_snooze_are_kept(session):
    job_id = enqueue(session)
    worker = register(session)
    reschedule(session, *claim(session, worker), error=FAILURE)
    reschedule(session, *claim(session, worker), refund=True)
    assert len(show(session, job_id).errors or []) == 1


def test_a_handed_back_job_is_available_and_its_attempt_not_counted(session):
    job_id = enqueue(session)
    worker = register(session)
    [job] = claim(session, worker)
    reschedule(session, job, refund=True, error=FAILURE)
    record = show(session, job_id)
    assert (record.state, record.attempt) == ("available", 0)
    assert [error["error"] for error in record.errors or []] == ["ValueError"]


def test_a_job_that_cancelled_itself_is_in_history_with_its_reason(session):
    job_id = enqueue(session)
    worker = register(session)
    assert withdraw(session, *claim(session, worker)) == []
    record = show(session, job_id)
    assert record.state == "cancelled"
    assert record.finished_at is not None
    assert [error["message"] for error in record.errors or []] == ["no"]


@every_ack
def test_an_ack_of_an_earlier_attempt_changes_nothing_and_is_given_back(session, ack):
    job_id = enqueue(session)
    worker = register(session)
    [stale] = claim(session, worker)
    reschedule(session, stale)
    [current] = claim(session, worker)
    before = show(session, job_id)
    assert ack(session, stale) == [stale.id]
    assert show(session, job_id) == before
    assert ack(session, current) == []


@every_ack
def test_an_ack_from_before_a_snooze_changes_nothing_though_its_attempt_has_the_same_number(
    session, ack
):
    job_id = enqueue(session)
    worker = register(session)
    [stale] = claim(session, worker)
    reschedule(session, stale, refund=True)
    [current] = claim(session, worker)
    assert current.attempt == stale.attempt
    before = show(session, job_id)
    assert ack(session, stale) == [stale.id]
    assert show(session, job_id) == before
    assert ack(session, current) == []


@every_ack
def test_an_ack_under_another_lease_changes_nothing_and_is_given_back(session, ack):
    job_id = enqueue(session)
    [job] = claim(session, register(session))
    before = show(session, job_id)
    assert ack(session, job._replace(lease=job.lease + 1)) == [job.id]
    assert show(session, job_id) == before


@every_ack
@pytest.mark.parametrize("state", ["available", "scheduled"])
def test_an_ack_of_a_job_that_no_longer_runs_changes_nothing(session, ack, state):
    job_id = enqueue(session)
    worker = register(session)
    [job] = claim(session, worker)
    reschedule(session, job, delay_seconds=60 * (state == "scheduled"))
    before = show(session, job_id)
    assert before.state == state
    assert ack(session, job) == [job.id]
    assert show(session, job_id) == before


@every_ack
@pytest.mark.parametrize("ending", ["completed", "dead", "cancelled"])
def test_a_second_ack_of_a_job_that_has_ended_changes_nothing(session, ack, ending):
    job_id = enqueue(session)
    worker = register(session)
    [job] = claim(session, worker)
    assert ACKS[ending](session, job) == []
    before = show(session, job_id)
    assert ack(session, job) == [job.id]
    assert show(session, job_id) == before


@every_ack
def test_an_ack_under_an_expired_lease_counts_until_the_jobs_are_taken_back(session, ack):
    enqueue(session)
    worker = register(session)
    [job] = claim(session, worker)
    expire(session, worker)
    assert ack(session, job) == []


@every_ack
def test_stale_outcomes_do_not_spoil_the_good_ones_they_travel_with(session, ack):
    enqueue_many(session, 5)
    worker, thief = register(session), register(session)
    claimed = claim(session, worker)
    stale = claimed[1:3]
    reschedule(session, *stale)
    claim(session, thief)
    assert sorted(ack(session, *claimed)) == sorted(job.id for job in stale)
    assert states(session).get("running") == 2


@every_ack
def test_an_ack_of_nothing_is_no_error(session, ack):
    assert ack(session) == []


def test_an_ack_that_is_sent_again_after_a_lost_answer_records_once(session):
    enqueue_many(session, 3)
    worker = register(session)
    claimed = claim(session, worker)
    assert complete(session, *claimed) == []
    assert len(complete(session, *claimed)) == 3
    assert states(session) == {"completed": 3}
