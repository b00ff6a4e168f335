"""Cancelling what runs: it is asked, and whichever way the attempt ends, only completion wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from jobqueue.store import dead_letters, jobs, maintenance, workers
from jobqueue.store.claims import Claimed
from jobqueue.store.database import to_conninfo
from tests.store.steps import (
    FAILURE,
    bury,
    claim,
    complete,
    do,
    enqueue,
    expire,
    forget,
    give,
    register,
    reschedule,
    show,
    states,
    withdraw,
)

Session = psycopg.Connection
End = Callable[[Session, int, Claimed], object]


@pytest.fixture
def other(session: Session, database_url: str) -> Iterator[Session]:
    """A second session."""
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as it:
        yield it


def run_one(session: Session, **options: object) -> tuple[int, Claimed]:
    """Let a worker run a job; gives both."""
    enqueue(session, **options)
    worker = register(session)
    [job] = claim(session, worker)
    return worker, job


def ask(session: Session, job: Claimed) -> None:
    assert do(session, jobs.cancel(show(session, job.id).id)) == ["asked"]


def asked(session: Session) -> int:
    row = session.execute("SELECT count(*) FROM jobqueue.cancel_requests").fetchone()
    assert row is not None
    return row[0]


def settle(session: Session) -> int:
    return do(session, maintenance.cancel_asked())[0]


def retried(session: Session, worker: int, job: Claimed) -> object:
    assert reschedule(session, job, delay_seconds=60, error=FAILURE) == []


def handed_back(session: Session, worker: int, job: Claimed) -> object:
    assert reschedule(session, job, refund=True) == []


def buried(session: Session, worker: int, job: Claimed) -> object:
    assert bury(session, job) == []


def withdrawn(session: Session, worker: int, job: Claimed) -> object:
    assert withdraw(session, job) == []


def unheard(session: Session, worker: int, job: Claimed) -> object:
    assert do(session, jobs.hand_back(worker, [])) == []


def rescued(session: Session, worker: int, job: Claimed) -> object:
    expire(session, worker)
    assert do(session, maintenance.rescue()) == [("w", 0, 0, 1)]


def completed(session: Session, worker: int, job: Claimed) -> object:
    assert complete(session, job) == []


def returned(session: Session, worker: int, job: Claimed) -> object:
    assert give(session, job, result=1) == []


ENDS: list[tuple[End, str, int, int]] = [
    (retried, "cancelled", 1, 1),
    (handed_back, "cancelled", 0, 0),
    (buried, "cancelled", 1, 1),
    (withdrawn, "cancelled", 1, 1),
    (unheard, "cancelled", 0, 0),
    (rescued, "cancelled", 1, 1),
    (completed, "completed", 1, 0),
    (returned, "completed", 1, 0),
]


@pytest.mark.parametrize(
    ("end", "state", "attempt", "errors"), ENDS, ids=lambda one: getattr(one, "__name__", None)
)
def test_a_job_that_is_to_be_cancelled_never_runs_again(session, end, state, attempt, errors):
    worker, job = run_one(session)
    ask(session, job)
    assert show(session, job.id).state == "running"
    end(session, worker, job)
    record = show(session, job.id)
    assert (record.state, record.attempt, len(record.errors or ())) == (state, attempt, errors)
    assert record.finished_at is not None
    assert states(session) == {state: 1}
    settle(session)
    assert asked(session) == 0


@pytest.mark.parametrize("end", [end for end, *_ in ENDS[:4]], ids=lambda one: one.__name__)
def test_its_neighbours_end_as_they_would(session, end):
    for _ in range(3):
        enqueue(session)
    worker = register(session)
    first, second, third = claim(session, worker)
    ask(session, second)
    for job in (first, second, third):
        end(session, worker, job)
    assert show(session, second.id).state == "cancelled"
    own = {"retried": "scheduled", "handed_back": "available", "buried": "dead"}
    expected = own.get(end.__name__, "cancelled")
    assert [show(session, job.id).state for job in (first, third)] == [expected, expected]


def test_a_rescue_counts_what_it_cancelled_beside_what_runs_again_and_what_is_dead(session):
    for attempts in (1, 5, 5, 5):
        enqueue(session, attempts=attempts)
    worker = register(session)
    claimed = claim(session, worker)
    ask(session, claimed[3])
    expire(session, worker)
    assert do(session, maintenance.rescue()) == [("w", 2, 1, 1)]
    assert states(session) == {"available": 2, "dead": 1, "cancelled": 1}


def test_its_worker_is_told_which_and_no_other_is(session):
    worker, job = run_one(session)
    other, its_own = run_one(session)
    assert do(session, workers.cancel_requests(worker)) == []
    ask(session, job)
    ask(session, job)
    assert do(session, workers.cancel_requests(worker)) == [(job.id, job.lease)]
    assert do(session, workers.cancel_requests(other)) == []
    complete(session, job, its_own)
    assert do(session, workers.cancel_requests(worker)) == []


def test_its_worker_hears_of_it_when_it_is_committed(session, other):
    worker, job = run_one(session)
    do(other, workers.listen_cancel())
    with session.transaction():
        ask(session, job)
        assert list(other.notifies(timeout=0.05)) == []
    [heard] = other.notifies(timeout=5, stop_after=1)
    assert (heard.channel, heard.payload) == ("jobqueue_cancel", str(worker))


@pytest.mark.parametrize("end", [completed, retried, buried], ids=lambda one: one.__name__)
def test_who_asks_in_a_long_transaction_keeps_no_outcome_waiting(session, other, end):
    other.execute("SET lock_timeout = '100ms'")
    worker, job = run_one(session)
    with session.transaction():
        ask(session, job)
        end(other, worker, job)
    settle(session)
    kept = {"completed": "completed", "retried": "cancelled", "buried": "dead"}
    assert show(session, job.id).state == kept[end.__name__]
    settle(session)
    assert asked(session) == 0


def test_two_who_ask_the_same_do_not_wait_for_each_other(session, other):
    other.execute("SET lock_timeout = '100ms'")
    worker, job = run_one(session)
    with session.transaction():
        ask(session, job)
        ask(other, job)
    assert do(session, workers.cancel_requests(worker)) == [(job.id, job.lease)]


def test_a_job_that_waits_again_when_it_is_asked_is_cancelled_by_the_leader(session, other):
    worker, job = run_one(session)
    with session.transaction():
        ask(session, job)
        retried(other, worker, job)
    assert settle(session) == 1
    assert show(session, job.id).state == "cancelled"


def test_one_that_was_claimed_again_meanwhile_is_asked_of_its_new_worker(session, other):
    worker, job = run_one(session)
    with session.transaction():
        ask(session, job)
        handed_back(other, worker, job)
        [again] = claim(other, register(other))
    assert settle(session) == 0
    assert do(session, workers.cancel_requests(worker + 1)) == [(again.id, again.lease)]


def test_the_leader_waits_for_nobody(session, other):
    session.execute("SET lock_timeout = '100ms'")
    worker, job = run_one(session)
    with session.transaction():
        ask(session, job)
        handed_back(other, worker, job)
    with other.transaction():
        claim(other, register(other))
        assert settle(session) == 0
    assert show(session, job.id).cancel_requested_at is not None


def test_a_job_that_died_and_is_redriven_is_not_cancelled_by_what_was_asked_before(session, other):
    worker, job = run_one(session)
    with session.transaction():
        ask(session, job)
        buried(other, worker, job)
    job_id = show(session, job.id).id
    assert do(session, dead_letters.redrive([job_id])) == [job.id]
    assert settle(session) == 0
    assert show(session, job.id).state == "available"
    assert asked(session) == 0


@pytest.mark.parametrize("act", ["redrive_v1", "retry_v1"])
def test_what_is_done_for_dead_letters_forgets_nothing_that_was_asked_of_a_running_job(
    session, act
):
    worker, job = run_one(session)
    ask(session, job)
    session.execute(f"SELECT jobqueue.{act}(%s)".encode(), [job.id])
    assert do(session, workers.cancel_requests(worker)) == [(job.id, job.lease)]


def test_what_was_asked_is_shown_until_the_attempt_has_ended(session):
    _, job = run_one(session)
    assert show(session, job.id).cancel_requested_at is None
    ask(session, job)
    assert show(session, job.id).cancel_requested_at is not None
    complete(session, job)
    assert show(session, job.id).cancel_requested_at is None


def test_a_job_that_left_no_trace_leaves_no_request(session):
    _, job = run_one(session)
    ask(session, job)
    assert forget(session, job) == []
    assert settle(session) == 0
    assert (asked(session), states(session)) == (0, {})


def test_the_first_version_of_cancel_still_leaves_alone_what_runs(session):
    _, job = run_one(session)
    [(told,)] = session.execute("SELECT jobqueue.cancel_v1(%s)", [job.id]).fetchall()
    assert (told, asked(session)) == ("running", 0)
