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


def lost_slots(books: Books) -> list[int]:
    return [lost for (lost,) in books.rows("SELECT lost_slots FROM jobqueue.workers")]


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
        async with running(jobs, books.url, stop_seconds=0.2, lease_seconds=3) as it:
            await auntil(lambda: books.state(job) == "dead", what="it is ended in the books")
            await auntil(lambda: lost_slots(books) == [1], what="it is counted in the books")
            mails = mail.enqueue_many(books.connection, [{}] * 20)
            await auntil(lambda: books.unfinished() == 0, what="its neighbours are untouched")
            assert {books.state(one) for one in mails} == {"completed"}
            assert "lost of queue default: 1 of 10 slots" in caplog.text
            release.set()
            await auntil(lambda: "has ended after all" in caplog.text, what="its end is told")
            await auntil(lambda: lost_slots(books) == [0], what="it is no longer counted")
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


def test_a_job_that_commits_when_its_time_is_over_holds_up_no_outcome_of_others(
    books: Books,
) -> None:
    jobs = JobQueue()
    books.rows("""
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
        CREATE TABLE slow (id int);
        CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle()
    """)

    @jobs.task(timeout=0.2, retry=ONCE)
    def commits_slowly() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO slow VALUES (1)")

    @jobs.task
    async def neighbour() -> None: ...

    slow = commits_slowly.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, stop_seconds=0.2):
            await asyncio.sleep(1)
            other = neighbour.enqueue(books.connection)
            await auntil(lambda: books.state(other) == "completed", what="its neighbour completes")
            assert books.state(slow) == "running"
            await auntil(lambda: books.state(slow) != "running", what="it has committed")

    play(scenario())
    assert books.state(slow) == "completed"
    assert books.rows("SELECT id FROM slow") == [(1,)]


def test_a_thread_whose_time_is_over_waits_no_longer_for_a_connection(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    @jobs.task
    def holds_the_only_one() -> None:
        with current_job().transaction():
            time.sleep(4)

    @jobs.task(timeout=0.2, retry=ONCE)
    def waits() -> None:
        with current_job().transaction():
            raise AssertionError("its time is over")

    first = holds_the_only_one.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, transaction_connections=1, stop_seconds=10):
            await auntil(lambda: books.state(first) == "running", what="it is taken")
            await asyncio.sleep(0.5)
            second = waits.enqueue(books.connection)
            await auntil(lambda: books.state(second) == "dead", what="its time is over")
            assert books.state(first) == "running"
            assert errors(books, second) == ["TimedOut"]

    with caplog.at_level(logging.ERROR):
        play(scenario())
    assert not any("slot" in one for one in caplog.messages)


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


def test_the_first_signal_to_a_worker_that_drains_by_itself_skips_no_wait(
    books: Books, release: threading.Event
) -> None:
    jobs = JobQueue()

    @jobs.task(timeout=0.1, retry=ONCE)
    def stuck() -> None:
        release.wait(30)

    @jobs.task
    async def takes_a_while() -> None:
        await asyncio.sleep(1)

    stuck.enqueue(books.connection)
    job = takes_a_while.enqueue(books.connection)

    async def scenario() -> Farewell:
        async with running(jobs, books.url, queues={"default": 2}, stop_seconds=0.1) as it:
            await auntil(lambda: it.worker._replace, what="it drains")
            return await it.stopped()

    assert play(scenario()).interrupted == 0
    assert books.state(job) == "completed"


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
