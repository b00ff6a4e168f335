"""What becomes of a job that raises: retried, snoozed, cancelled or a dead letter."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobqueue import Cancel, Constant, Exponential, JobQueue, Retry, Snooze, current_job
from jobqueue.store.jobs import Enqueued, JobRecord
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

AT_ONCE = Constant(0.01)


class CardDeclined(Exception):
    pass


def run_until(books: Books, jobs: JobQueue, job: Enqueued, *states: str) -> JobRecord:
    """Let a worker run until `job` is in one of `states`, and give its record."""

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) in states, what=f"the job is {states}")

    play(scenario())
    return books.job(job)


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_a_failed_job_is_tried_again_until_it_completes(books: Books, kind: str) -> None:
    jobs = JobQueue()
    attempts: list[int] = []

    def work() -> None:
        attempts.append(current_job().attempt)
        if len(attempts) < 3:
            raise ValueError(f"not yet, {len(attempts)}")

    async def work_async() -> None:
        work()

    retry = Retry(backoff=AT_ONCE)
    task = jobs.task(name="work", retry=retry)(work_async if kind == "coroutine" else work)
    record = run_until(books, jobs, task.enqueue(books.connection), "completed")
    assert attempts == [1, 2, 3]
    assert record.attempt == 3
    errors = record.errors or []
    assert [(error["attempt"], error["error"], error["message"]) for error in errors] == [
        (1, "ValueError", "not yet, 1"),
        (2, "ValueError", "not yet, 2"),
    ]
    for error in errors:
        assert 'raise ValueError(f"not yet' in error["traceback"]
        assert __file__ in error["traceback"]
        assert error["failed_at"] >= error["started_at"]
        assert error["worker_id"] > 0


def test_each_retry_waits_for_its_backoff_and_its_jitter(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(retry=Retry(attempts=2, backoff=Exponential(first=1000), jitter=0.5))
    async def fail() -> None:
        raise ValueError("no")

    found = [fail.enqueue(books.connection) for _ in range(20)]

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.states() == {"scheduled": 20}, what="all wait for a retry")

    play(scenario())
    waits = books.rows(
        "SELECT extract(epoch FROM run_at - (errors -> 0 ->> 'failed_at')::timestamptz)::float "
        "FROM jobqueue.jobs"
    )
    seconds = [row[0] for row in waits]
    assert len(found) == len(seconds)
    assert min(seconds) >= 1000
    assert max(seconds) <= 1500
    assert max(seconds) - min(seconds) > 50, "the jitter spreads them"


def test_out_of_attempts_a_job_is_a_dead_letter_with_every_error(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(retry=Retry(attempts=3, backoff=AT_ONCE))
    async def fail(number: int) -> None:
        raise ValueError(f"attempt {current_job().attempt} of {number}")

    record = run_until(books, jobs, fail.enqueue(books.connection, 9), "dead")
    assert [error["message"] for error in record.errors or []] == [
        "attempt 1 of 9",
        "attempt 2 of 9",
        "attempt 3 of 9",
    ]
    assert (record.attempt, record.args) == (3, {"number": 9})
    assert books.states() == {"dead": 1}


def test_an_error_worth_no_retry_is_a_dead_letter_at_once(books: Books) -> None:
    jobs = JobQueue()

    class StolenCard(CardDeclined):
        pass

    @jobs.task(retry=Retry(give_up_on=CardDeclined))
    async def pay() -> None:
        raise StolenCard("call the police")

    record = run_until(books, jobs, pay.enqueue(books.connection), "dead", "scheduled")
    assert (record.state, record.attempt) == ("dead", 1)
    assert "StolenCard" in (record.errors or [])[0]["error"]


def test_raising_retry_says_when_and_counts_as_a_failed_attempt(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def ask_again() -> None:
        raise Retry("the other side is busy", after=timedelta(hours=1))

    record = run_until(books, jobs, ask_again.enqueue(books.connection), "scheduled", "dead")
    [error] = record.errors or []
    assert (record.state, record.attempt) == ("scheduled", 1)
    assert error["message"] == "the other side is busy"
    waited = books.value(
        "SELECT extract(epoch FROM run_at - (errors -> 0 ->> 'failed_at')::timestamptz)::float "
        "FROM jobqueue.jobs"
    )
    assert waited == pytest.approx(3600, abs=0.001)


def test_raising_retry_on_the_last_attempt_is_the_end(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(retry=Retry(attempts=2))
    async def ask_again() -> None:
        raise Retry(after=0)

    record = run_until(books, jobs, ask_again.enqueue(books.connection), "dead")
    assert record.attempt == 2
    assert len(record.errors or []) == 2


def test_a_snoozed_job_runs_again_and_the_attempt_does_not_count(books: Books) -> None:
    jobs = JobQueue()
    attempts: list[int] = []

    @jobs.task(retry=Retry(attempts=1))
    async def not_yet() -> None:
        attempts.append(current_job().attempt)
        if len(attempts) < 4:
            raise Snooze(0.01)

    record = run_until(books, jobs, not_yet.enqueue(books.connection), "completed", "dead")
    assert attempts == [1, 1, 1, 1]
    assert (record.state, record.attempt, record.errors) == ("completed", 1, None)


def test_a_snoozed_job_is_due_after_its_while(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def not_yet() -> None:
        raise Snooze(timedelta(days=2))

    record = run_until(books, jobs, not_yet.enqueue(books.connection), "scheduled")
    assert record.attempt == 0
    assert record.run_at - record.enqueued_at >= timedelta(days=2)


def test_a_job_that_cancels_itself_is_neither_retried_nor_a_dead_letter(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    def give_up() -> None:
        raise Cancel("the user is gone")

    record = run_until(books, jobs, give_up.enqueue(books.connection), "cancelled", "dead")
    assert (record.state, record.attempt) == ("cancelled", 1)
    assert (record.errors or [])[0]["message"] == "the user is gone"


def test_arguments_that_no_longer_fit_are_a_dead_letter_that_names_the_argument(
    books: Books,
) -> None:
    jobs = JobQueue()
    ran: list[object] = []

    @jobs.task
    async def send_welcome(user_id: int) -> None:
        ran.append(user_id)

    # As an older release of the application did, before the parameter became a number.
    job_id = books.value(
        """SELECT job_id FROM jobqueue.enqueue_v1('send_welcome', '{"user_id": "ada"}')"""
    )
    record = run_until(books, jobs, Enqueued(job_id, "inserted"), "dead", "scheduled")
    [error] = record.errors or []
    assert (record.state, record.attempt, ran) == ("dead", 1, [])
    assert "argument 'user_id'" in error["message"]
    assert "got a string" in error["message"], "it may be a secret of the older release"
    assert "ada" not in str(error)
    assert "send_welcome" in error["message"]


def test_a_backoff_that_is_broken_itself_does_not_lose_the_job(books: Books) -> None:
    jobs = JobQueue()

    def broken(attempt: int) -> float:
        return 1 / (attempt - 1)

    @jobs.task(retry=Retry(backoff=broken))
    async def fail() -> None:
        raise ValueError("the job's own error")

    record = run_until(books, jobs, fail.enqueue(books.connection), "dead", "scheduled")
    [error] = record.errors or []
    assert record.state == "dead"
    assert error["error"] == "ZeroDivisionError"
    assert "the job's own error" in error["traceback"]
