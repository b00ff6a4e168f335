"""Timeouts stop what runs, in the way of each pool, and are told from every other end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from jobqueue import Constant, JobQueue, Retry, current_job
from jobqueue.worker.worker import Farewell
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

ONCE = Retry(attempts=1)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Let stuck code go at the end of the test, whatever came of it."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


def errors(books: Books, job: object) -> list[str]:
    return [error["error"] for error in books.job(job).errors or []]  # type: ignore[arg-type]


def test_a_coroutine_is_cancelled_when_its_time_is_over_and_tried_again(books: Books) -> None:
    jobs = JobQueue()
    attempts: list[int] = []

    @jobs.task(timeout=0.2, retry=Retry(attempts=2, backoff=Constant(0)))
    async def stalls_once() -> None:
        attempts.append(current_job().attempt)
        if len(attempts) == 1:
            await asyncio.sleep(60)

    job = stalls_once.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "completed", what="the second attempt")

    play(scenario())
    assert attempts == [1, 2]
    [error] = books.job(job).errors or []
    assert error["error"] == "TimedOut"
    assert "0.2 s" in error["message"]
    assert "await asyncio.sleep(60)" in error["traceback"]


def test_a_job_may_have_a_timeout_of_its_own(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(timeout=60, retry=ONCE)
    async def stalls() -> None:
        await asyncio.sleep(60)

    job = stalls.using(timeout=0.1).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "dead", what="it is dead")

    play(scenario())
    assert errors(books, job) == ["TimedOut"]


def test_a_coroutine_that_completes_although_its_time_is_over_is_completed(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(timeout=0.1, retry=ONCE)
    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)

    job = tidy.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="it has ended")

    play(scenario())
    assert books.state(job) == "completed"


def test_a_coroutine_that_swallows_its_timeout_loses_its_slot_until_it_ends(
    books: Books, caplog: pytest.LogCaptureFixture, release: threading.Event
) -> None:
    jobs = JobQueue()

    @jobs.task(timeout=0.1, retry=ONCE)
    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue

    @jobs.task
    async def mail() -> None: ...

    job = stubborn.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, stop_seconds=0.2) as it:
            await auntil(lambda: books.state(job) == "dead", what="it is ended in the books")
            mails = mail.enqueue_many(books.connection, [{}] * 20)
            await auntil(lambda: books.unfinished() == 0, what="its neighbours are untouched")
            assert {books.state(one) for one in mails} == {"completed"}
            assert "lost of queue default: 1 of 10 slots" in caplog.text
            release.set()
            await auntil(lambda: "has ended after all" in caplog.text, what="its end is told")
            assert not it.task.done()

    with caplog.at_level(logging.WARNING):
        play(scenario())
    assert errors(books, job) == ["TimedOut"]


def test_a_thread_is_ended_in_the_books_and_sees_it_at_its_next_checkpoint(books: Books) -> None:
    jobs = JobQueue()
    seen: list[str] = []

    @jobs.task(timeout=0.1, retry=ONCE)
    def patient() -> None:
        deadline = time.monotonic() + 20
        try:
            while time.monotonic() < deadline:
                current_job().check()
                time.sleep(0.01)
        finally:
            seen.append("cleaned up")

    job = patient.enqueue(books.connection)

    async def scenario() -> Farewell:
        async with running(jobs, books.url) as it:
            await auntil(lambda: books.state(job) == "dead", what="it is dead")
            return await it.stopped()

    farewell = play(scenario())
    assert seen == ["cleaned up"]
    assert errors(books, job) == ["TimedOut"]
    assert (farewell.threads_left, farewell.replace) == (0, False)


def test_a_worker_drains_to_be_replaced_when_half_of_its_slots_are_lost_to_threads(
    books: Books, release: threading.Event
) -> None:
    jobs = JobQueue()

    @jobs.task(timeout=0.1, retry=ONCE)
    def stuck() -> None:
        release.wait(30)

    for _ in range(2):
        stuck.enqueue(books.connection)

    async def scenario() -> Farewell:
        async with running(jobs, books.url, queues={"default": 4}, stop_seconds=0.1) as it:
            return await it.farewell()

    farewell = play(scenario())
    assert (farewell.replace, farewell.interrupted, farewell.threads_left) == (True, 0, 2)
    assert books.states() == {"dead": 2}


def test_a_worker_drains_to_be_replaced_when_half_of_its_threads_are_lost_of_few(
    books: Books, release: threading.Event
) -> None:
    """However many slots there are: no job for a thread would ever run here again."""
    jobs = JobQueue()

    @jobs.task(timeout=0.1, retry=ONCE)
    def stuck() -> None:
        release.wait(30)

    for _ in range(2):
        stuck.enqueue(books.connection)

    async def scenario() -> Farewell:
        settings = {"pool_threads": 4, "stop_seconds": 0.1}
        async with running(jobs, books.url, queues={"default": 20}, **settings) as it:
            return await it.farewell()

    farewell = play(scenario())
    assert (farewell.replace, farewell.threads_left) == (True, 2)
    assert books.states() == {"dead": 2}


def test_a_worker_that_stops_hands_back_what_has_no_timeout_and_calls_nothing_timed_out(
    books: Books,
) -> None:
    jobs = JobQueue()

    @jobs.task(timeout=30)
    async def stalls() -> None:
        await asyncio.sleep(60)

    job = stalls.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, grace_seconds=0.1) as it:
            await auntil(lambda: books.state(job) == "running", what="it runs")
            await it.stopped()

    play(scenario())
    assert (books.state(job), errors(books, job)) == ("available", ["Interrupted"])
