"""A worker that lost its lease carries on under a new one, and its late words change nothing."""

from __future__ import annotations

import asyncio

import pytest

from jobqueue import Cancel, JobQueue, Snooze, current_job
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

EXPIRE = "UPDATE jobqueue.workers SET expires_at = '-infinity' WHERE id = %s"


def worker_ids(books: Books) -> list[int]:
    return [row[0] for row in books.rows("SELECT id FROM jobqueue.workers ORDER BY id")]


def test_a_heartbeat_moves_the_lease_on(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def work() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=0.9):
            [entered] = await auntil(
                lambda: books.rows("SELECT id, expires_at FROM jobqueue.workers"),
                what="the worker is in the books",
            )
            # Long after the lease it had at first.
            await auntil(
                lambda: books.value(
                    "SELECT clock_timestamp() > %s + interval '1 second'", [entered[1]]
                ),
                what="the first lease is over",
            )
            [now] = books.rows("SELECT id, expires_at > clock_timestamp() FROM jobqueue.workers")
            assert now == (entered[0], True)

    play(scenario())
    assert worker_ids(books) == [], "and it leaves the books when it stops"


def test_a_worker_struck_off_enters_anew_and_carries_on(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    async def scenario() -> None:
        go_on = asyncio.Event()

        @jobs.task
        async def work(*, wait: bool) -> None:
            if wait:
                await go_on.wait()

        during = work.enqueue(books.connection, wait=True)
        # Without the leader's duties: one of them would see to the job of the vanished worker.
        async with running(jobs, books.url, lease_seconds=0.9, maintenance=False):
            await auntil(lambda: books.state(during) == "running", what="the job runs")
            [old] = worker_ids(books)
            books.rows("DELETE FROM jobqueue.workers")
            [new] = await auntil(lambda: worker_ids(books), what="the worker enters anew")
            assert new != old
            later = work.enqueue(books.connection, wait=False)
            await auntil(lambda: books.state(later) == "completed", what="a new job completes")
            assert books.job(later).worker_id == new
            go_on.set()
            await auntil(lambda: books.unfinished() == 0, what="the old job ends")

    play(scenario())
    assert books.states() == {"completed": 2}
    assert any("its lease expired" in line for line in caplog.messages)


@pytest.mark.parametrize("late", ["completes", "fails", "snoozes", "cancels itself"])
def test_what_a_stale_worker_says_changes_nothing_and_is_logged(
    books: Books, caplog: pytest.LogCaptureFixture, late: str
) -> None:
    first, second = JobQueue(), JobQueue()
    late_words = {
        "completes": None,
        "fails": ValueError("too late"),
        "snoozes": Snooze(3600),
        "cancels itself": Cancel("too late"),
    }

    def complaints() -> list[str]:
        return [line for line in caplog.messages if "changed nothing" in line]

    async def scenario() -> None:
        thaw, go_on, second_runs = asyncio.Event(), asyncio.Event(), asyncio.Event()

        @first.task
        async def work() -> None:
            await thaw.wait()
            if (error := late_words[late]) is not None:
                raise error

        @second.task(name="work")
        async def work_elsewhere() -> None:
            assert current_job().attempt == 2
            second_runs.set()
            await go_on.wait()

        job = work.enqueue(books.connection)
        async with running(first, books.url, queues={"default": 1}, maintenance=False):
            await auntil(lambda: books.state(job) == "running", what="the first worker runs it")
            [frozen] = worker_ids(books)
            async with running(second, books.url):
                books.rows(EXPIRE, [frozen])
                await second_runs.wait()
                thaw.set()
                await auntil(complaints, what="the late word is refused")
                record = books.job(job)
                assert (record.state, record.attempt) == ("running", 2)
                assert record.worker_id != frozen
                go_on.set()
                await auntil(
                    lambda: books.state(job) == "completed", what="the second completes it"
                )

        record = books.job(job)
        assert record.attempt == 2
        [error] = record.errors or []
        assert (error["error"], error["attempt"], error["worker_id"]) == ("WorkerLost", 1, frozen)
        assert str(job.id) in complaints()[0]

    play(scenario())


def test_a_job_whose_worker_vanished_from_the_books_is_found_and_run(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def work() -> None: ...

    job = work.enqueue(books.connection)
    # Left by a worker that was stopped past its lease and claimed once more on waking.
    books.rows("UPDATE jobqueue.jobs SET state = 'running', attempt = 1, worker_id = 4242")

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "completed", what="the job completes")

    play(scenario())
    assert books.job(job).attempt == 2


def test_a_job_that_takes_every_worker_with_it_ends_as_a_dead_letter(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def work() -> None: ...

    job = work.using(attempts=1).enqueue(books.connection)
    books.rows("UPDATE jobqueue.jobs SET state = 'running', attempt = 1, worker_id = 4242")

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "dead", what="the job is a dead letter")

    play(scenario())
    [error] = books.job(job).errors or []
    assert error["error"] == "WorkerLost"
