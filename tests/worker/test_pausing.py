"""Pausing queues and tasks: nothing of them begins, what runs goes on, and all of it resumes."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from jobqueue import ConfigurationError, JobQueue
from jobqueue.worker import paused as pausing
from jobqueue.worker.listener import Listener
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


@pytest.fixture
def jobs() -> JobQueue:
    return JobQueue()


def test_a_paused_queue_begins_nothing_until_it_is_resumed(books: Books, jobs: JobQueue) -> None:
    ran: list[int] = []

    @jobs.task(queue="mail")
    async def send(number: int) -> None:
        ran.append(number)

    @jobs.task
    async def other() -> None: ...

    assert jobs.pause(books.connection, queue="mail", reason="their server is down")
    assert not jobs.pause(books.connection, queue="mail")
    for number in range(20):
        send.enqueue(books.connection, number)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 5, "mail": 5}):
            another = other.enqueue(books.connection)
            await auntil(lambda: books.state(another) == "completed", what="the others go on")
            assert ran == []
            assert jobs.resume(books.connection, queue="mail")
            await auntil(lambda: len(ran) == 20, what="they run")
            await auntil(lambda: books.unfinished() == 0, what="they are done")

    play(scenario())
    assert sorted(ran) == list(range(20))
    assert not jobs.resume(books.connection, queue="mail")
    assert {row[0] for row in books.rows("SELECT attempt FROM jobqueue.job_history")} == {1}


def test_what_runs_finishes_and_nothing_new_begins_within_a_second(
    books: Books, jobs: JobQueue
) -> None:
    began: list[float] = []

    @jobs.task
    async def work() -> None:
        began.append(time.monotonic())
        await asyncio.sleep(0.2)

    with books.connection.transaction():
        for _ in range(200):
            work.enqueue(books.connection)

    async def scenario() -> float:
        async with running(jobs, books.url):
            await auntil(lambda: len(began) >= 10, what="some run")
            jobs.pause(books.connection, task=work)
            at = time.monotonic()
            await auntil(lambda: books.states().get("running", 0) == 0, what="none is running")
            await asyncio.sleep(0.3)
            return at

    paused_at = play(scenario())
    assert max(began) < paused_at + 1
    assert 10 <= len(began) < 200
    states = books.states()
    assert states == {"completed": len(began), "available": 200 - len(began)}
    waiting = books.rows("SELECT DISTINCT attempt FROM jobqueue.jobs")
    assert waiting == [(0,)]


def test_a_paused_task_leaves_the_other_tasks_of_its_queue_alone(
    books: Books, jobs: JobQueue
) -> None:
    @jobs.task
    async def paused() -> None: ...

    @jobs.task
    async def goes_on() -> None: ...

    jobs.pause(books.connection, task="paused")
    first = [paused.enqueue(books.connection) for _ in range(50)]
    second = [goes_on.enqueue(books.connection) for _ in range(50)]

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(
                lambda: all(books.state(one) == "completed" for one in second), what="they ran"
            )
            assert {books.state(one) for one in first} == {"available"}
            jobs.resume(books.connection, task="paused")
            await auntil(lambda: books.unfinished() == 0, what="all ran")

    play(scenario())


def test_a_job_that_waits_in_hand_goes_back_uncounted(books: Books, jobs: JobQueue) -> None:
    @jobs.task
    async def quick() -> None: ...

    @jobs.task
    async def slow() -> None:
        await asyncio.sleep(0.5)

    for _ in range(300):
        quick.enqueue(books.connection)
    for _ in range(30):
        slow.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 2}):
            await auntil(lambda: books.states().get("running", 0) > 0, what="some are in hand")
            jobs.pause(books.connection, queue="default")
            await auntil(lambda: books.states().get("running", 0) == 0, what="none is")

    play(scenario())
    assert {row[0] for row in books.rows("SELECT attempt FROM jobqueue.jobs")} <= {0}


def test_a_worker_that_hears_nothing_looks_by_itself_within_a_second(
    books: Books, jobs: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(_: Listener) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Listener, "run", deaf)

    @jobs.task
    async def work() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=60) as it:
            job = work.enqueue(books.connection)
            await auntil(lambda: books.state(job) == "completed", what="it works")
            jobs.pause(books.connection, queue="default")
            paused = it.worker._runner._paused
            await auntil(lambda: paused.any, what="it knows", seconds=1.0)
            late = work.enqueue(books.connection)
            await asyncio.sleep(0.3)
            assert books.state(late) == "available"
            jobs.resume(books.connection, queue="default")
            await auntil(lambda: books.state(late) == "completed", what="it goes on", seconds=2.0)

    play(scenario())


def test_no_worker_is_notified_of_jobs_in_a_queue_it_leaves_alone(
    books: Books, jobs: JobQueue
) -> None:
    @jobs.task
    async def work() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.sleeping() == ["default"], what="it sleeps")
            jobs.pause(books.connection, queue="default")
            await auntil(lambda: books.sleeping() == [], what="it is not to be woken")
            work.enqueue(books.connection)
            jobs.resume(books.connection, queue="default")
            await auntil(lambda: books.unfinished() == 0, what="it runs")
            await auntil(lambda: books.sleeping() == ["default"], what="it sleeps again")

    play(scenario())


def test_a_pause_that_is_rolled_back_never_was(books: Books, jobs: JobQueue) -> None:
    @jobs.task
    async def work() -> None: ...

    with jobs_connection(books) as connection:
        jobs.pause(connection, queue="default")
        connection.rollback()
    job = work.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "completed", what="it runs")

    play(scenario())


def jobs_connection(books: Books):
    import psycopg

    from jobqueue.store.database import to_conninfo

    return psycopg.connect(to_conninfo(books.url))


def test_the_log_says_what_is_paused_and_what_goes_on(
    books: Books, jobs: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    @jobs.task
    async def work() -> None: ...

    jobs.pause(books.connection, task="work")

    async def scenario() -> None:
        with caplog.at_level(logging.INFO, logger="jobqueue.worker"):
            async with running(jobs, books.url):
                await auntil(lambda: "task 'work': is paused" in caplog.text, what="it is said")
                jobs.resume(books.connection, task="work")
                await auntil(lambda: "task 'work': goes on" in caplog.text, what="it is said")

    play(scenario())
    assert pausing.UNHEARD_SECONDS < 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give one of them"),
        ({"queue": "a", "task": "b"}, "give one of them"),
        ({"queue": ""}, "not a name"),
        ({"task": "x" * 201}, "not a name"),
        ({"queue": "a", "reason": "x" * 501}, "500 characters"),
    ],
)
def test_what_cannot_be_paused_is_refused(
    books: Books, jobs: JobQueue, given: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        jobs.pause(books.connection, **given)
    assert books.rows("SELECT FROM jobqueue.pauses") == []
