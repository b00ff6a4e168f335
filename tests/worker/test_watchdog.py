"""A job that blocks the event loop is named, and costs nobody's lease."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from typing import Self

import pytest

from jobqueue import JobQueue
from jobqueue.core.settings import WorkerSettings
from jobqueue.worker.worker import Worker
from tests.waiting import auntil, until
from tests.worker.books import Books
from tests.worker.playing import play, running

LEASE_SECONDS = 0.6


def blocks_the_loop(seconds: float) -> None:
    time.sleep(seconds)


class Aside:
    """A worker in a thread of its own, so that what blocks its loop does not block the test."""

    def __init__(self, jobs: JobQueue, url: str, **settings: float) -> None:
        chosen = WorkerSettings(poll_seconds=0.1, grace_seconds=5.0, **settings)  # type: ignore[arg-type]
        self.worker = Worker(jobs, chosen, database_url=url)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(
            target=lambda: self.loop.run_until_complete(self.worker.run())
        )

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.worker.stop)
        self.thread.join(20)
        self.loop.close()


def test_a_loop_that_is_blocked_for_many_leases_loses_no_job_and_the_culprit_is_named(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()
    runs: list[str] = []

    @jobs.task
    async def blocks() -> None:
        runs.append("blocks")
        blocks_the_loop(5 * LEASE_SECONDS)

    @jobs.task
    async def neighbour() -> None:
        runs.append("neighbour")
        await asyncio.sleep(0.2)

    async def other() -> None:
        async with running(jobs, books.url, queues={"other": 1}):
            await auntil(lambda: not aside.thread.is_alive() or books.unfinished() == 0, what="x")

    caplog.set_level(logging.WARNING)
    neighbours = neighbour.enqueue_many(books.connection, [{}] * 3)
    blocker = blocks.enqueue(books.connection)
    with Aside(jobs, books.url, lease_seconds=LEASE_SECONDS) as aside:
        # The other worker rescues what it finds abandoned.
        play(other())
        until(lambda: books.unfinished() == 0, what="all have ended")
    assert sorted(runs) == ["blocks", *["neighbour"] * 3]
    assert {books.job(job).attempt for job in (*neighbours, blocker)} == {1}
    assert books.states() == {"completed": 4}
    [told] = [one for one in caplog.messages if "blocked for more than" in one]
    assert f"job blocks {blocker.id}" in told
    assert "blocks_the_loop(5 * LEASE_SECONDS)" in told
    assert sum("answers again" in one for one in caplog.messages) == 1


def test_a_loop_that_never_comes_back_does_not_keep_its_jobs_for_ever(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    @jobs.task(queue="blocked")
    async def blocks() -> None:
        if not again:
            again.append(1)
            blocks_the_loop(4.0)

    again: list[int] = []
    blocker = blocks.enqueue(books.connection)
    caplog.set_level(logging.WARNING)
    settings = {"lease_seconds": LEASE_SECONDS, "longest_block_seconds": 1.0}
    with Aside(jobs, books.url, queues={"blocked": 1}, **settings):  # type: ignore[arg-type]
        until(lambda: again, what="it blocks")

        async def other() -> None:
            async with running(jobs, books.url, queues={"blocked": 1}):
                await auntil(lambda: books.unfinished() == 0, what="another worker has run it")

        play(other())
    assert books.job(blocker).attempt == 2
    assert any("kept no longer" in one for one in caplog.messages)


def test_a_loop_that_fails_to_put_things_right_does_not_pass_for_blocked(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    @jobs.task
    async def goes_on() -> None:
        await asyncio.sleep(1)

    def fails() -> None:
        raise OSError(errno.EMFILE, "no descriptor is free")

    goes_on.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            it.worker._watchdog.checks.append(fails)
            await auntil(lambda: books.unfinished() == 0, what="it has ended")

    play(scenario())
    assert any("no descriptor is free" in str(one.exc_info) for one in caplog.records)
    assert not any("blocked" in one for one in caplog.messages)


def test_an_idle_worker_asks_its_loop_nothing(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def nothing() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            nothing.enqueue(books.connection)
            await auntil(lambda: books.unfinished() == 0, what="it has ended")
            watchdog = it.worker._watchdog
            await auntil(lambda: watchdog.asleep and not watchdog._begun.is_set(), what="it sleeps")
            await asyncio.sleep(0.6)
            watchdog._answered.clear()
            await asyncio.sleep(0.6)
            assert not watchdog._answered.is_set()

    play(scenario())
