"""Batches that are to stop: timeouts, cancelling, pauses, leases in doubt and workers that go."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jobqueue import Batch, JobQueue, current_batch
from jobqueue.store import jobs as statements
from jobqueue.store import maintenance
from jobqueue.store.statement import run
from jobqueue.worker import lease, runner
from tests.waiting import auntil
from tests.worker.batching import ONCE, Item, drain
from tests.worker.books import Books
from tests.worker.playing import play, running


@pytest.fixture
def jobs() -> JobQueue:
    return JobQueue()


def test_a_timeout_stops_the_batch_and_fails_all_of_it(books: Books, jobs: JobQueue) -> None:
    @jobs.task(batch=Batch(size=2, wait=5), retry=ONCE, timeout=30)
    async def index(items: list[Item]) -> None:
        await asyncio.sleep(60)

    with books.connection.transaction():
        index.enqueue(books.connection, number=1)
        index.using(timeout=0.2).enqueue(books.connection, number=2)
    drain(books, jobs)
    dead = books.rows("SELECT errors -> 0 ->> 'error' FROM jobqueue.dead_letters")
    assert dead == [("TimedOut",), ("TimedOut",)]


def test_a_thread_that_does_not_stop_ends_in_the_books_for_every_job(
    books: Books, jobs: JobQueue
) -> None:
    go_on = threading.Event()

    @jobs.task(batch=Batch(size=2, wait=5), retry=ONCE, timeout=0.1)
    def index(items: list[Item]) -> None:
        go_on.wait(20)

    with books.connection.transaction():
        for number in range(2):
            index.enqueue(books.connection, number=number)
    try:
        drain(books, jobs, stop_seconds=0.1)
    finally:
        go_on.set()
    assert books.states() == {"dead": 2}


def test_one_that_is_cancelled_ends_as_cancelled_unless_it_completes_and_the_others_go_on(
    books: Books, jobs: JobQueue
) -> None:
    told: list[bool] = []

    @jobs.task(batch=Batch(size=3, wait=5))
    async def index(items: list[Item]) -> list[object]:
        while not any(told):
            told[:] = [job.cancelled for job in current_batch().jobs]
            await asyncio.sleep(0.01)
        assert not current_batch().cancelled
        return [ValueError("stopped") if one else None for one in told]

    with books.connection.transaction():
        made = [index.enqueue(books.connection, number=number) for number in range(3)]

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.states().get("running") == 3, what="they run")
            await asyncio.sleep(0.1)
            assert run(books.execute, statements.cancel(made[1].id)) == ["asked"]
            await auntil(lambda: books.unfinished() == 0, what="they have ended")

    play(scenario())
    assert [books.state(job) for job in made] == ["completed", "cancelled", "completed"]


@pytest.mark.parametrize("when", ["collected", "running"])
def test_a_batch_of_which_all_are_cancelled_stops(books: Books, jobs: JobQueue, when: str) -> None:
    ran: list[int] = []

    @jobs.task(batch=Batch(size=2 if when == "running" else 100, wait=30))
    async def index(items: list[Item]) -> None:
        ran.append(len(items))
        await asyncio.sleep(60)

    with books.connection.transaction():
        made = [index.enqueue(books.connection, number=number) for number in range(2)]

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            await auntil(lambda: books.states().get("running") == 2, what="they are in hand")
            await auntil(lambda: ran or when == "collected", what="they run")
            for job in made:
                run(books.execute, statements.cancel(job.id))
            await auntil(lambda: books.states() == {"cancelled": 2}, what="they have ended")
            line = it.worker._runner.lines["default"]
            await auntil(lambda: line.running == 0, what="the slot is free")

    play(scenario())


def test_a_batch_that_runs_when_the_worker_is_to_go_is_finished_or_handed_back(
    books: Books, jobs: JobQueue
) -> None:
    @jobs.task(batch=Batch(size=2, wait=5))
    async def index(items: list[Item]) -> None:
        await asyncio.sleep(0.3 if items[0].number < 2 else 60)

    async def scenario(first: int, grace: float) -> int:
        for number in (first, first + 1):
            index.enqueue(books.connection, number=number)
        async with running(jobs, books.url, grace_seconds=grace) as it:
            await auntil(lambda: it.worker._runner.running == 2, what="it runs")
            return (await it.stopped()).interrupted

    assert play(scenario(0, 10)) == 0
    assert books.states() == {"completed": 2}
    assert play(scenario(2, 0.1)) == 2
    assert books.states() == {"completed": 2, "available": 2}
    assert books.rows("SELECT DISTINCT attempt FROM jobqueue.jobs") == [(0,)]


def test_a_pause_gives_back_what_is_collected(books: Books, jobs: JobQueue) -> None:
    @jobs.task(batch=Batch(size=100, wait=30))
    async def index(items: list[Item]) -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            for number in range(5):
                index.enqueue(books.connection, number=number)
            await auntil(lambda: books.states() == {"running": 5}, what="they are collected")
            jobs.pause(books.connection, task=index)
            await auntil(lambda: books.states() == {"available": 5}, what="they are given back")
            assert it.worker._runner.lines["default"].running == 0

    play(scenario())


@pytest.mark.parametrize("eager", [True, False])
def test_what_was_collected_before_the_lease_was_in_doubt_is_given_back(
    books: Books, jobs: JobQueue, monkeypatch: pytest.MonkeyPatch, eager: bool
) -> None:
    """A worker that was frozen meanwhile may have lost them to others."""
    if eager:  # as where a task begins at once, and nobody looks at the lease again
        monkeypatch.setattr(runner, "BEGINS_LATER", False)
    ran: list[int] = []
    frozen: list[float] = [0.0]
    real = lease.clock
    monkeypatch.setattr(lease, "clock", lambda: real() + frozen[0])

    @jobs.task(batch=Batch(size=100, wait=0.5))
    async def index(items: list[Item]) -> None:
        ran.append(len(items))

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=30) as it:
            index.enqueue(books.connection, number=1)
            await auntil(lambda: books.states() == {"running": 1}, what="it is collected")
            frozen[0] = 31.0
            books.rows("UPDATE jobqueue.workers SET expires_at = now() - interval '1 s'")
            run(books.execute, maintenance.rescue())
            books.rows("UPDATE jobqueue.jobs SET queue = 'others'")
            line = it.worker._runner.lines["default"]
            await auntil(lambda: line.running == 0, what="the slot is free")

    play(scenario())
    assert ran == []
    assert books.states() == {"available": 1}


def test_one_that_commits_when_the_time_is_over_is_not_ended_in_the_books(
    books: Books, jobs: JobQueue
) -> None:
    books.rows("""
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$;
        CREATE TABLE slow (id int);
        CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle()
    """)

    @jobs.task(batch=Batch(size=1, wait=5), timeout=0.2, retry=ONCE)
    def index(items: list[Item]) -> None:
        [job] = current_batch().jobs
        with job.transaction() as connection:
            connection.execute("INSERT INTO slow VALUES (1)")

    made = index.enqueue(books.connection, number=1)

    @jobs.task
    async def neighbour() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url, stop_seconds=0.2):
            await asyncio.sleep(1)
            other = neighbour.enqueue(books.connection)
            await auntil(lambda: books.state(other) == "completed", what="its neighbour completes")
            assert books.state(made) == "running"
            await auntil(lambda: books.unfinished() == 0, what="it has committed")

    play(scenario())
    assert books.state(made) == "completed"
    assert books.rows("SELECT id FROM slow") == [(1,)]
