"""Stopping: what runs may finish, what does not is handed back, and nothing is lost."""

from __future__ import annotations

import asyncio
import time

import pytest

from jobqueue import JobQueue
from jobqueue.core.settings import WorkerSettings
from jobqueue.worker import patience
from jobqueue.worker.worker import Farewell, Worker
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


def test_a_stopping_worker_finishes_what_runs_and_hands_back_what_it_has_not_started(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What waits behind long jobs goes back in any case; here only stopping may be the reason.
    monkeypatch.setattr(patience, "LONGEST_WAIT_SECONDS", 60.0)
    jobs = JobQueue()
    finished: list[int] = []

    async def scenario() -> Farewell:
        go_on, started = asyncio.Event(), asyncio.Event()

        @jobs.task
        async def work(number: int) -> None:
            if number >= 100:
                started.set()
                await go_on.wait()
            finished.append(number)

        work.enqueue_many(books.connection, [{"number": number} for number in range(600)])
        async with running(jobs, books.url, queues={"default": 2}) as it:
            await started.wait()
            assert books.states()["running"] > 2, "it has claimed ahead"
            it.stop()
            await auntil(lambda: books.states()["running"] == 2, what="the rest is handed back")
            assert not it.task.done()
            go_on.set()
            return await it.farewell()

    farewell = play(scenario())
    assert (farewell.interrupted, farewell.threads_left) == (0, 0)
    assert sorted(finished) == list(range(102))
    assert books.states() == {"completed": 102, "available": 498}
    assert books.rows("SELECT DISTINCT attempt FROM jobqueue.jobs") == [(0,)]
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0


def test_a_stopping_worker_claims_nothing_more(books: Books) -> None:
    jobs = JobQueue()

    async def scenario() -> Farewell:
        go_on = asyncio.Event()

        @jobs.task
        async def work(*, wait: bool) -> None:
            if wait:
                await go_on.wait()

        slow = work.enqueue(books.connection, wait=True)
        async with running(jobs, books.url, poll_seconds=0.02, lease_seconds=1.0) as it:
            await auntil(lambda: books.state(slow) == "running", what="the job runs")
            it.stop()
            await auntil(
                lambda: books.value("SELECT draining FROM jobqueue.workers"),
                what="the books say that it drains",
            )
            late = work.enqueue(books.connection, wait=False)
            # Twenty of the pauses that it made between looks.
            passed = time.monotonic() + 0.4
            await auntil(lambda: time.monotonic() > passed, what="time passes")
            assert books.state(late) == "available"
            go_on.set()
            return await it.farewell()

    assert play(scenario()).interrupted == 0
    assert books.states() == {"completed": 1, "available": 1}


def test_the_books_say_at_once_that_a_worker_drains(books: Books) -> None:
    jobs = JobQueue()

    async def scenario() -> None:
        go_on = asyncio.Event()

        @jobs.task
        async def work() -> None:
            await go_on.wait()

        job = work.enqueue(books.connection)
        # As by default: a heartbeat every ten seconds.
        async with running(jobs, books.url, lease_seconds=30.0) as it:
            await auntil(lambda: books.state(job) == "running", what="the job runs")
            it.stop()
            await auntil(
                lambda: books.value("SELECT draining FROM jobqueue.workers"),
                what="the books say that it drains",
                seconds=3,
            )
            go_on.set()
            await it.farewell()

    play(scenario())


def test_a_second_stop_skips_the_wait(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def work() -> None:
        await asyncio.sleep(60)

    job = work.enqueue(books.connection)

    async def scenario() -> tuple[Farewell, float]:
        async with running(jobs, books.url, grace_seconds=60.0) as it:
            await auntil(lambda: books.state(job) == "running", what="the job runs")
            began = time.monotonic()
            it.stop()
            it.stop()
            return await it.farewell(), time.monotonic() - began

    farewell, seconds = play(scenario())
    assert farewell.interrupted == 1
    assert seconds < 5
    assert (books.state(job), books.job(job).attempt) == ("available", 0)


def test_what_was_interrupted_is_taken_at_once_by_a_worker_that_sleeps(books: Books) -> None:
    jobs = JobQueue()
    runs: list[int] = []

    async def scenario() -> None:
        @jobs.task
        async def work() -> None:
            runs.append(1)
            if len(runs) == 1:
                await asyncio.sleep(60)

        job = work.enqueue(books.connection)
        async with running(jobs, books.url, grace_seconds=0.1) as first:
            await auntil(lambda: books.state(job) == "running", what="the job runs")
            async with running(jobs, books.url, poll_seconds=30.0):
                await auntil(lambda: "default" in books.sleeping(), what="the second worker sleeps")
                await first.stopped()
                await auntil(
                    lambda: books.state(job) == "completed", what="the second runs it", seconds=5
                )

    play(scenario())
    assert len(runs) == 2


def test_a_stop_is_heard_while_the_database_is_not_reached() -> None:
    jobs = JobQueue()

    @jobs.task
    async def work() -> None: ...

    async def scenario() -> tuple[Farewell, float]:
        async with running(jobs, "postgresql://127.0.0.1:1/nothing") as it:
            await asyncio.sleep(0)
            began = time.monotonic()
            return await it.stopped(), time.monotonic() - began

    farewell, seconds = play(scenario())
    assert farewell.interrupted == 0
    assert seconds < 3


def test_a_worker_that_is_cancelled_from_outside_leaves_nothing_behind(books: Books) -> None:
    jobs = JobQueue()
    ran: list[str] = []

    @jobs.task
    async def note(name: str) -> None:
        ran.append(name)

    async def scenario() -> None:
        settings = WorkerSettings(queues={"default": 1}, poll_seconds=0.02)
        task = asyncio.create_task(Worker(jobs, settings, database_url=books.url).run())
        before = note.enqueue(books.connection, "before")
        await auntil(lambda: books.state(before) == "completed", what="the job completes")
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        later = note.enqueue(books.connection, "later")
        # Twenty of the pauses that it made between looks.
        passed = time.monotonic() + 0.4
        await auntil(lambda: time.monotonic() > passed, what="time passes")
        assert (ran, books.state(later)) == (["before"], "available")
        await auntil(lambda: books.connected() == 0, what="its connections are closed")
        assert books.value("SELECT count(*) FROM jobqueue.workers") == 0

    play(scenario())
