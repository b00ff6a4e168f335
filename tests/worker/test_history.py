"""Tasks that keep no history: their completed jobs leave no row, whatever else happens does."""

from __future__ import annotations

import pytest

from jobqueue import Cancel, ConfigurationError, JobQueue, Retry
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.effects import COROUTINE, PLAIN, Way, counting, effects, processed, with_counter
from tests.worker.playing import play, running


def finish(books: Books, jobs: JobQueue) -> None:
    """Run a worker until no job is left."""

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())


def test_completed_jobs_leave_nothing_beside_jobs_of_tasks_that_keep_theirs(books: Books) -> None:
    jobs = JobQueue()
    ran: list[str] = []

    @jobs.task(history=False)
    async def light() -> None:
        ran.append("light")

    @jobs.task(history=False)
    def light_in_a_thread() -> None:
        ran.append("thread")

    @jobs.task
    async def kept() -> None:
        ran.append("kept")

    for task in (light, light_in_a_thread, kept):
        task.enqueue_many(books.connection, [{}] * 3)
    finish(books, jobs)
    assert sorted(ran) == ["kept"] * 3 + ["light"] * 3 + ["thread"] * 3
    assert books.rows("SELECT DISTINCT task, state FROM jobqueue.all_jobs") == [
        ("kept", "completed")
    ]


def test_failures_and_cancellations_are_kept(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(history=False, retry=Retry(attempts=1))
    async def fails() -> None:
        raise ValueError("no")

    @jobs.task(history=False)
    async def withdraws() -> None:
        raise Cancel("not needed")

    fails.enqueue(books.connection)
    withdraws.enqueue(books.connection)
    finish(books, jobs)
    assert books.states() == {"dead": 1, "cancelled": 1}


@pytest.mark.parametrize("way", [PLAIN, COROUTINE], ids=str)
def test_effects_in_a_transaction_are_made_once_and_the_job_leaves_no_row(
    books: Books, way: Way
) -> None:
    with_counter(books)
    jobs = JobQueue()
    counting(jobs, way, books.url, history=False).enqueue(books.connection)
    finish(books, jobs)
    assert effects(books) == 1
    assert processed(books) == 1
    assert books.states() == {}


def test_what_is_no_yes_or_no_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="history 'no': wrong type; give True or False"):

        @JobQueue().task(history="no")  # type: ignore[arg-type]
        def task() -> None: ...
