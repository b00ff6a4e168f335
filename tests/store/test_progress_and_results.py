"""What a running job says of itself, and what a completed one returned."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from jobqueue.store import jobs, maintenance, processed
from jobqueue.store.claims import Claimed
from jobqueue.store.database import to_conninfo
from tests.store.steps import (
    claim,
    complete,
    do,
    enqueue,
    enqueue_many,
    expire,
    give,
    register,
    reschedule,
    show,
)


@pytest.fixture
def listener(session: psycopg.Connection, database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as it:
        it.execute("LISTEN jobqueue_progress")
        yield it


def say(session: psycopg.Connection, *said: tuple[Claimed, float, str]) -> list[str]:
    ids, leases = [job.id for job, _, _ in said], [job.lease for job, _, _ in said]
    fractions, messages = [one for _, one, _ in said], [one for _, _, one in said]
    return do(session, jobs.progress(ids, leases, fractions, messages))


def running(session: psycopg.Connection, number: int = 1) -> list[Claimed]:
    enqueue_many(session, number)
    return claim(session, register(session))


# Progress -------------------------------------------------------------------------------------


def test_progress_of_many_is_shown_and_told_in_one_statement(session, listener):
    one, two = running(session, 2)
    assert set(say(session, (one, 0.25, "page 1 of 4"), (two, 1.0, ""))) == {one.id, two.id}
    record = show(session, one.id)
    assert (record.progress, record.progress_message) == (0.25, "page 1 of 4")
    told = [json.loads(note.payload) for note in listener.notifies(timeout=5, stop_after=2)]
    assert sorted(told, key=lambda note: note["progress"]) == [
        {"id": one.id, "progress": 0.25, "message": "page 1 of 4"},
        {"id": two.id, "progress": 1, "message": ""},
    ]


def test_progress_under_a_lease_that_was_lost_changes_nothing(session, listener):
    [job] = running(session)
    assert say(session, (job._replace(lease=job.lease + 1), 0.5, "stale")) == []
    assert show(session, job.id).progress is None
    assert list(listener.notifies(timeout=0.05)) == []


@pytest.mark.parametrize("end", ["reschedule", "hand_back", "rescue"])
def test_the_next_attempt_begins_without_the_progress_of_the_last(session, end):
    [job] = running(session)
    say(session, (job, 0.5, "half"))
    if end == "reschedule":
        reschedule(session, job)
    elif end == "hand_back":
        do(session, jobs.hand_back(show(session, job.id).worker_id or 0, []))
    else:
        expire(session, show(session, job.id).worker_id or 0)
        do(session, maintenance.rescue())
    record = show(session, job.id)
    assert (record.state, record.progress, record.progress_message) == ("available", None, None)


def test_the_longest_message_fits_a_notification(session, listener):
    [job] = running(session)
    said = "\x01\N{GRINNING FACE}" * 5_000
    assert say(session, (job, 0.5, said)) == [job.id]
    [note] = listener.notifies(timeout=5, stop_after=1)
    assert json.loads(note.payload)["message"] == said[:1000]


# Results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [None, 0, "", "text", [1, None], {"a": {"b": 1.5}}, 10**400])
def test_what_was_returned_is_kept_as_it_was(session, result):
    [job] = running(session)
    assert give(session, job, result=result) == []
    [standing] = do(session, jobs.standing(show(session, job.id).id))
    assert standing.state == "completed"
    assert standing.result is not None
    assert json.loads(standing.result) == result


def test_results_of_many_are_kept_with_their_own_jobs_and_stale_ones_told(session):
    one, two, three = running(session, 3)
    ids, leases = [one.id, two.id, three.id], [one.lease, two.lease + 1, three.lease]
    stale = do(session, jobs.ack_returned(ids, leases, [1, 2, 3], ['"one"', '"two"', '"three"']))
    assert stale == [two.id]
    assert [show(session, job.id).result for job in (one, two, three)] == ["one", None, "three"]
    assert show(session, two.id).state == "running"
    assert show(session, three.id).run_ms == 3


def test_a_completion_without_a_result_keeps_none(session):
    [job] = running(session)
    complete(session, job)
    [standing] = do(session, jobs.standing(show(session, job.id).id))
    assert (standing.state, standing.result) == ("completed", None)


def in_its_own_transaction(session: psycopg.Connection, job: Claimed) -> None:
    with session.transaction():
        [begun] = do(session, processed.begin(job))
        do(session, processed.complete(job, begun.transaction, 0.1, keep=True))


def test_the_result_of_a_job_that_completed_in_its_own_transaction_is_kept_after_it(session):
    one, two = running(session, 2)
    assert do(session, processed.keep_result(one, "1")) == []
    in_its_own_transaction(session, one)
    in_its_own_transaction(session, two)
    assert do(session, processed.keep_result(one, '{"a": 1}')) == [one.id]
    assert do(session, processed.keep_result(one, "2")) == []
    assert (show(session, one.id).result, show(session, two.id).result) == ({"a": 1}, None)


def test_a_result_that_the_database_cannot_keep_is_refused_and_nothing_recorded(session):
    [job] = running(session)
    with pytest.raises(psycopg.DataError):
        do(session, jobs.ack_returned([job.id], [job.lease], [1], ['"\\u0000"']))
    assert show(session, job.id).state == "running"


# Timeouts -------------------------------------------------------------------------------------


def test_a_claim_gives_the_timeout_of_the_job_if_it_has_one(session):
    enqueue(session, timeout=1.5)
    enqueue(session)
    assert [job.timeout_seconds for job in claim(session, register(session))] == [1.5, None]


def test_a_timeout_outlives_retries_and_death(session):
    job_id = enqueue(session, timeout="2m", attempts=1)
    worker = register(session)
    [job] = claim(session, worker)
    reschedule(session, job)
    [job] = claim(session, worker)
    assert job.timeout_seconds == 120
    expire(session, worker)
    do(session, maintenance.rescue())
    dead = show(session, job_id)
    assert (dead.state, dead.timeout_seconds) == ("dead", 120)
    session.execute("SELECT jobqueue.redrive_v1(%s)", [job_id])
    [job] = claim(session, register(session))
    assert job.timeout_seconds == 120
