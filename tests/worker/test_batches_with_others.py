"""Batches beside what else a job may have: priorities, keys, limits, pauses, deadlines."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from jobqueue import Batch, Concurrency, ConfigurationError, JobQueue, RateLimit, Unique
from tests.waiting import auntil
from tests.worker.batching import Item, drain
from tests.worker.books import Books
from tests.worker.playing import play, running


@pytest.fixture
def jobs() -> JobQueue:
    return JobQueue()


def test_what_is_urgent_is_taken_first(books: Books, jobs: JobQueue) -> None:
    taken: list[int] = []

    @jobs.task(batch=Batch(size=10, wait=0.2))
    async def index(items: list[Item]) -> None:
        taken.extend(item.number for item in items)

    with books.connection.transaction():
        for number in range(20):
            index.using(priority="low").enqueue(books.connection, number=number)
        for number in range(20, 30):
            index.using(priority="critical").enqueue(books.connection, number=number)
    drain(books, jobs, queues={"default": 1})
    assert taken == [*range(20, 30), *range(20)]


def test_a_unique_key_holds_until_the_batch_has_its_job(books: Books, jobs: JobQueue) -> None:
    taken: list[int] = []

    @jobs.task(
        batch=Batch(size=10, wait=0.5), unique=Unique(lambda number, word: str(number), "skip")
    )
    async def index(items: list[Item]) -> None:
        taken.extend(item.number for item in items)

    first = [index.enqueue(books.connection, number=number % 5) for number in range(20)]
    assert len({one.id for one in first}) == 5

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 1}):
            await auntil(lambda: books.states().get("running", 0) == 5, what="it collects")
            again = index.enqueue(books.connection, number=0)
            assert (again.outcome, again.id in {one.id for one in first}) == ("inserted", False)
            await auntil(lambda: books.unfinished() == 0, what="all have ended")

    play(scenario())
    assert Counter(taken) == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1}


def test_no_batch_holds_more_of_a_key_than_its_limit(books: Books, jobs: JobQueue) -> None:
    batches: list[list[str]] = []
    running_now: Counter[str] = Counter()

    @jobs.task(batch=Batch(size=50, wait=0.1), concurrency=Concurrency(3, key="word"))
    async def index(items: list[Item]) -> None:
        words = [item.word for item in items]
        batches.append(words)
        running_now.update(words)
        assert max(running_now.values()) <= 3
        await asyncio.sleep(0.05)
        running_now.subtract(words)

    with books.connection.transaction():
        for number in range(60):
            index.enqueue(books.connection, number=number, word=f"w{number % 4}")
    drain(books, jobs, queues={"default": 4})
    assert sum(map(len, batches)) == 60
    assert max(map(len, batches)) > 4
    assert books.states() == {"completed": 60}


def test_jobs_from_sql_go_to_their_gate_before_a_batch_takes_them(
    books: Books, jobs: JobQueue
) -> None:
    most: list[int] = []

    @jobs.task(batch=Batch(size=50, wait=1.0), concurrency=Concurrency(2))
    async def index(items: list[Item]) -> None:
        most.append(len(items))

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 1}):
            index.enqueue(books.connection, number=0)
            await auntil(lambda: books.states().get("running", 0) == 1, what="it collects")
            books.rows(
                "SELECT jobqueue.enqueue_many_v1('index', (SELECT jsonb_agg(jsonb_build_object("
                "'number', n, 'word', 'w')) FROM generate_series(1, 6) n))"
            )
            await auntil(lambda: books.unfinished() == 0, what="all have ended")

    play(scenario())
    assert max(most) <= 2
    assert sum(most) == 7


def test_a_batch_that_is_collected_goes_back_when_its_task_is_paused(
    books: Books, jobs: JobQueue
) -> None:
    taken: list[int] = []

    @jobs.task(batch=Batch(size=50, wait=1.5))
    async def index(items: list[Item]) -> None:
        taken.extend(item.number for item in items)

    for number in range(5):
        index.enqueue(books.connection, number=number)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 1}):
            await auntil(lambda: books.states().get("running", 0) == 5, what="it collects")
            jobs.pause(books.connection, task=index)
            await auntil(lambda: books.states() == {"available": 5}, what="all are given back")
            await asyncio.sleep(1.8)
            assert taken == []
            jobs.resume(books.connection, task=index)
            await auntil(lambda: len(taken) == 5, what="they are taken")

    play(scenario())
    assert books.rows("SELECT DISTINCT attempt FROM jobqueue.job_history") == [(1,)]


def test_a_job_that_has_expired_is_left_out_of_its_batch(books: Books, jobs: JobQueue) -> None:
    taken: list[int] = []

    @jobs.task(batch=Batch(size=10, wait=0.2))
    async def index(items: list[Item]) -> None:
        taken.extend(item.number for item in items)

    for number in range(6):
        index.using(expires_in=3600).enqueue(books.connection, number=number)
    books.rows("UPDATE jobqueue.jobs SET expires_at = now() WHERE (args ->> 'number')::int < 2")
    drain(books, jobs, queues={"default": 1}, maintenance=False)
    assert sorted(taken) == [2, 3, 4, 5]
    assert books.states() == {"completed": 4, "cancelled": 2}


def test_a_batch_under_a_rate_is_refused(jobs: JobQueue) -> None:
    with pytest.raises(ConfigurationError, match="start together"):
        jobs.task(batch=Batch(), rate_limit=RateLimit("api", 5))  # pyright: ignore[reportCallIssue]
