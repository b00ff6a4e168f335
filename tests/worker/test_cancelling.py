"""Cancelling jobs that run: by asking, in the way of each pool."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from jobqueue import JobQueue, current_job
from jobqueue.store import jobs as statements
from jobqueue.store.jobs import Enqueued
from jobqueue.store.statement import run
from jobqueue.worker.listener import Listener
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


def ask(books: Books, job: Enqueued) -> str:
    [said] = run(books.execute, statements.cancel(job.id))
    return said


def cancel_when_it_runs(books: Books, jobs: JobQueue, job: Enqueued, **settings: float) -> float:
    """Cancel a job that runs, and give how long its end took."""

    async def scenario() -> float:
        async with running(jobs, books.url, **settings):
            await auntil(lambda: books.state(job) == "running", what="it runs")
            await asyncio.sleep(0.1)
            began = time.monotonic()
            assert ask(books, job) == "asked"
            await auntil(lambda: books.unfinished() == 0, what="it has ended")
            return time.monotonic() - began

    return play(scenario())


def test_a_coroutine_is_cancelled_at_once(books: Books) -> None:
    jobs = JobQueue()
    told: list[bool] = []

    @jobs.task
    async def stalls() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            told.append(current_job().cancelled)

    job = stalls.enqueue(books.connection)
    assert cancel_when_it_runs(books, jobs, job) < 5
    assert books.state(job) == "cancelled"
    assert told == [True]


def test_others_that_were_claimed_together_with_it_are_left_alone(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def stalls(seconds: float) -> None:
        await asyncio.sleep(seconds)

    with books.connection.transaction():
        short, long, other = (stalls.enqueue(books.connection, one) for one in (1, 60, 1))
    cancel_when_it_runs(books, jobs, long)
    assert [books.state(job) for job in (short, long, other)] == [
        "completed",
        "cancelled",
        "completed",
    ]


def test_a_thread_is_told_at_its_next_checkpoint(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    def pages() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            current_job().progress(0.5, "a page")
            time.sleep(0.01)

    job = pages.enqueue(books.connection)
    assert cancel_when_it_runs(books, jobs, job) < 5
    assert books.state(job) == "cancelled"


@pytest.mark.parametrize("way", ["returns", "raises"])
def test_a_job_that_completes_anyway_is_completed_and_one_that_fails_is_not_tried_again(
    books: Books, way: str
) -> None:
    jobs = JobQueue()

    @jobs.task
    def goes_on() -> None:
        deadline = time.monotonic() + 20
        while not current_job().cancelled and time.monotonic() < deadline:
            time.sleep(0.01)
        if way == "raises":
            raise ValueError("because it was cancelled")

    job = goes_on.enqueue(books.connection)
    cancel_when_it_runs(books, jobs, job)
    assert books.state(job) == ("completed" if way == "returns" else "cancelled")


def test_what_no_notification_told_is_found_with_the_heartbeat(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(_: Listener) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Listener, "run", deaf)
    jobs = JobQueue()

    @jobs.task
    async def stalls() -> None:
        await asyncio.sleep(60)

    job = stalls.enqueue(books.connection)
    cancel_when_it_runs(books, jobs, job, lease_seconds=1.5)
    assert books.state(job) == "cancelled"


def test_a_thread_that_never_looks_runs_to_its_end(books: Books) -> None:
    jobs = JobQueue()
    go_on = threading.Event()

    @jobs.task
    def deaf() -> None:
        go_on.wait(20)

    job = deaf.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, stop_seconds=0.1):
            await auntil(lambda: books.state(job) == "running", what="it runs")
            assert ask(books, job) == "asked"
            await asyncio.sleep(0.5)
            assert books.state(job) == "running"
            go_on.set()
            await auntil(lambda: books.state(job) == "completed", what="it completes")

    try:
        play(scenario())
    finally:
        go_on.set()
