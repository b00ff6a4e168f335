"""Jobs that outlast the grace time are interrupted and handed back, whatever they make of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from jobqueue import JobQueue
from jobqueue.worker.worker import Farewell
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Let stuck threads go at the end of the test, whatever came of it."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


def test_a_coroutine_that_outlasts_the_grace_time_is_cancelled_and_handed_back(
    books: Books,
) -> None:
    jobs = JobQueue()
    told: list[str] = []

    @jobs.task
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            told.append("stop")
            raise

    job = work.enqueue(books.connection)

    async def scenario() -> tuple[Farewell, float]:
        async with running(jobs, books.url, grace_seconds=0.2) as it:
            await auntil(lambda: books.state(job) == "running", what="the job runs")
            began = time.monotonic()
            return await it.stopped(), time.monotonic() - began

    farewell, seconds = play(scenario())
    record = books.job(job)
    assert (farewell.interrupted, farewell.threads_left) == (1, 0)
    assert 0.2 <= seconds < 5
    assert told == ["stop"]
    assert (record.state, record.attempt, record.worker_id) == ("available", 0, None)
    assert (record.errors or [])[0]["error"] == "Interrupted"


def test_a_thread_that_outlasts_the_grace_time_is_left_behind_and_its_job_handed_back(
    books: Books, release: threading.Event
) -> None:
    jobs = JobQueue()

    @jobs.task
    def stuck() -> None:
        release.wait(30)

    job = stuck.enqueue(books.connection)

    async def scenario() -> Farewell:
        async with running(jobs, books.url, grace_seconds=0.2) as it:
            await auntil(lambda: books.state(job) == "running", what="the job runs")
            return await it.stopped()

    farewell = play(scenario())
    assert (farewell.interrupted, farewell.threads_left) == (1, 1)
    record = books.job(job)
    assert (record.state, record.attempt, record.worker_id) == ("available", 0, None)
    release.set()
    # Its late end is nobody's business any more.
    assert books.states() == {"available": 1}


def test_a_coroutine_that_swallows_its_cancellation_is_handed_back_all_the_same(
    books: Books,
) -> None:
    jobs = JobQueue()

    async def scenario() -> Farewell:
        enough = asyncio.Event()

        @jobs.task
        async def stubborn() -> None:
            while not enough.is_set():
                try:
                    await enough.wait()
                except asyncio.CancelledError:
                    continue

        job = stubborn.enqueue(books.connection)
        try:
            async with running(jobs, books.url, grace_seconds=0.1) as it:
                await auntil(lambda: books.state(job) == "running", what="the job runs")
                return await it.stopped()
        finally:
            enough.set()

    assert play(scenario()).interrupted == 1
    [(state, attempt)] = books.rows("SELECT state, attempt FROM jobqueue.jobs")
    assert (state, attempt) == ("available", 0)


def test_a_job_that_finishes_although_it_was_cancelled_is_completed_and_not_interrupted(
    books: Books,
) -> None:
    jobs = JobQueue()

    @jobs.task
    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # what is left is done quickly

    job = tidy.enqueue(books.connection)

    async def scenario() -> Farewell:
        async with running(jobs, books.url, grace_seconds=0.1) as it:
            await auntil(lambda: books.state(job) == "running", what="the job runs")
            return await it.stopped()

    farewell = play(scenario())
    assert books.state(job) == "completed"
    assert (farewell.interrupted, farewell.threads_left) == (0, 0)
