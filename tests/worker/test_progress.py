"""Progress and results, from inside a job to the books."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import psycopg
import pytest

from jobqueue import ConfigurationError, JobQueue, Retry, current_job
from jobqueue.store.database import to_conninfo
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

ONCE = Retry(attempts=1)
CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


def progress(books: Books, job: Any) -> tuple[float, str]:
    [found] = books.rows(
        "SELECT progress, progress_message FROM jobqueue.jobs WHERE id = %s", [job.id]
    )
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_the_last_word_is_in_the_books_while_the_job_runs(books: Books, kind: str) -> None:
    jobs = JobQueue()
    go_on = threading.Event()
    task: Any

    if kind == "coroutine":

        @jobs.task
        async def pages() -> None:
            for page in range(1, 31):
                current_job().progress(page / 30, f"page {page} of 30")
            await auntil(go_on.is_set, what="the test has seen it")

        task = pages
    else:

        @jobs.task
        def plain_pages() -> None:
            for page in range(1, 31):
                current_job().progress(page / 30, f"page {page} of 30")
            go_on.wait(20)

        task = plain_pages
    job = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "running", what="it runs")
            await auntil(lambda: progress(books, job) == (1.0, "page 30 of 30"), what="it is told")
            go_on.set()
            await auntil(lambda: books.state(job) == "completed", what="it completes")

    try:
        play(scenario())
    finally:
        go_on.set()


def test_many_words_are_few_notifications_and_the_last_is_among_them(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def chatty() -> None:
        for step in range(1000):
            current_job().progress(step / 1000)
            await asyncio.sleep(0.001)
        current_job().progress(1, "done")
        await asyncio.sleep(1.5)

    heard: list[dict[str, Any]] = []

    async def scenario() -> None:
        connection = await psycopg.AsyncConnection.connect(to_conninfo(books.url), autocommit=True)
        async with connection, running(jobs, books.url):
            await connection.execute("LISTEN jobqueue_progress")
            job = chatty.enqueue(books.connection)
            async for notification in connection.notifies(timeout=20):
                heard.append(json.loads(notification.payload))
                if heard[-1]["message"] == "done":
                    break
            assert heard[-1] == {"id": str(job.id), "progress": 1, "message": "done"}

    play(scenario())
    assert 2 <= len(heard) <= 6


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan"), "half", True])
def test_what_is_no_fraction_is_refused_where_it_is_said(books: Books, fraction: Any) -> None:
    jobs = JobQueue()
    said: list[str] = []

    @jobs.task
    async def wrong() -> None:
        try:
            current_job().progress(fraction)
        except ConfigurationError as error:
            said.append(str(error))

    wrong.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="it has ended")

    play(scenario())
    assert repr(fraction) in said[0]


def ended(books: Books, jobs: JobQueue) -> None:
    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all have ended")

    play(scenario())


def result(books: Books, job: Any) -> Any:
    return books.value("SELECT result FROM jobqueue.job_history WHERE id = %s", [job.id])


def test_what_tasks_return_is_kept_if_they_ask_for_it(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(returns=True)
    async def total(numbers: list[int]) -> dict[str, int]:
        return {"total": sum(numbers)}

    @jobs.task(returns=True)
    def nothing() -> None: ...

    @jobs.task
    async def unasked() -> str:
        return "nobody wants it"

    first = total.enqueue(books.connection, [1, 2, 3])
    second = nothing.enqueue(books.connection)
    third = unasked.enqueue(books.connection)
    ended(books, jobs)
    assert result(books, first) == {"total": 6}
    assert (
        books.value("SELECT result::text FROM jobqueue.job_history WHERE id = %s", [second.id])
        == "null"
    )
    assert result(books, third) is None
    assert books.states() == {"completed": 3}


def test_what_is_returned_after_a_transaction_of_the_jobs_own_is_kept(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(returns=True)
    async def pays() -> str:
        async with current_job().transaction() as connection:
            await connection.execute("SELECT 1")
        return "paid"

    job = pays.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "completed", what="it is completed")
            await auntil(lambda: result(books, job) == "paid", what="its result is kept")

    play(scenario())


@pytest.mark.parametrize(
    "value",
    [object(), CIRCULAR, "\x00", "\ud800", "x" * 2**20],
    ids=["an object", "a list in itself", "NUL", "a lone surrogate", "too long"],
)
def test_what_json_cannot_hold_is_a_failed_attempt_that_says_so(books: Books, value: Any) -> None:
    jobs = JobQueue()

    @jobs.task(returns=True, retry=ONCE)
    async def returns_it() -> Any:
        return value

    @jobs.task(returns=True)
    async def fine() -> int:
        return 1

    job, other = returns_it.enqueue(books.connection), fine.enqueue(books.connection)
    ended(books, jobs)
    [error] = books.job(job).errors or []
    assert error["error"] == "UnstorableResult"
    assert "task 'returns_it': returned a" in error["message"]
    assert result(books, other) == 1
