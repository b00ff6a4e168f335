"""Jobs that the books say a worker runs, and it knows nothing of."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest

from jobqueue import JobQueue
from jobqueue.core.settings import WorkerSettings
from jobqueue.store import workers
from jobqueue.store.claims import Held
from jobqueue.worker import unheard
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link
from jobqueue.worker.unheard import Unheard
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

# What a server says that takes over and has not heard that a job is done.
NOT_DONE = """
WITH gone AS (DELETE FROM jobqueue.job_history WHERE id = %s RETURNING *)
INSERT INTO jobqueue.jobs (id, run_at, enqueued_at, started_at, priority, attempt, max_attempts,
                           state, queue, task, args, worker_id, lease)
SELECT id, run_at, enqueued_at, started_at, priority, attempt, max_attempts, 'running', queue, task,
       args, worker_id, nextval('jobqueue.leases')
FROM gone
"""
RUNNING = """
INSERT INTO jobqueue.jobs (id, run_at, enqueued_at, started_at, priority, attempt, max_attempts,
                           state, queue, task, args, worker_id, lease)
VALUES (jobqueue.uuid_v7(), now(), now(), now(), 5, 1, 5, 'running', 'default', 'work', '{}', %s,
        nextval('jobqueue.leases'))
RETURNING id, lease
"""


class Desk:
    """What of a worker compares the books, and a job that its link knows of or not."""

    def __init__(self, books: Books, link: Link, lease: Lease) -> None:
        self.books = books
        self.link = link
        self.known: set[Held] = set()
        self.unheard = Unheard(link, lease, lambda: self.known, [link])
        self._lease = lease

    def job(self, *, known: bool) -> UUID:
        """Make a job that runs in the worker's name, as a claim does."""
        [(job, lease)] = self.books.rows(RUNNING, [self._lease.worker_id])
        if known:
            self.known.add((str(job), lease))
        return job

    async def lose_connection(self) -> None:
        """Have it found out by somebody else, as by a heartbeat."""
        self.books.cut("jobqueue worker")
        with pytest.raises(psycopg.OperationalError):
            await self.link.run(workers.probe())


@asynccontextmanager
async def desk(books: Books, *, lease_seconds: float = 30.0) -> AsyncGenerator[Desk]:
    link = Link(books.url, "worker")
    settings = WorkerSettings(queues={"default": 1}, lease_seconds=lease_seconds)
    lease = Lease(link, settings, [], lost=lambda: None, renewed=lambda: None, lost_slots=int)
    try:
        await lease.enter()
        yield Desk(books, link, lease)
    finally:
        await link.close()


def test_after_a_lost_connection_what_is_not_in_hand_is_handed_back(books: Books) -> None:
    async def scenario() -> None:
        async with desk(books) as it:
            unknown, known = it.job(known=False), it.job(known=True)
            await it.unheard.look()
            assert books.state(unknown) == "running", "there is no reason for doubt yet"
            await it.lose_connection()
            await it.unheard.look()
            assert books.state(unknown) == "available"
            assert books.job(unknown).attempt == 0, "nothing of it has begun"
            assert books.state(known) == "running"

    play(scenario())


def test_a_lease_later_it_looks_once_more(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was held up begins late what a connection that is gone has asked for."""
    now = 0.0
    monkeypatch.setattr(unheard, "perf_counter", lambda: now)

    async def scenario() -> None:
        nonlocal now
        async with desk(books, lease_seconds=30.0) as it:
            await it.lose_connection()
            await it.unheard.look()
            late = it.job(known=False)

            now = 29.9
            await it.unheard.look()
            assert books.state(late) == "running", "it is not time yet"
            now = 30.1
            await it.unheard.look()
            assert books.state(late) == "available"

    play(scenario())


def test_a_look_that_fails_is_made_again(books: Books) -> None:
    async def scenario() -> None:
        async with desk(books) as it:
            unknown = it.job(known=False)
            it.unheard.doubt()
            books.cut("jobqueue worker")
            with pytest.raises(psycopg.OperationalError):
                await it.unheard.look()
            await it.unheard.look()
            assert books.state(unknown) == "available"

    play(scenario())


def test_a_worker_compares_the_books_now_and_then_without_any_reason(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unheard, "REGULARLY_SECONDS", 0.3)
    jobs = JobQueue()
    ran: list[int] = []

    @jobs.task
    async def work() -> None:
        ran.append(1)

    async def scenario() -> None:
        async with running(jobs, books.url):
            job = work.enqueue(books.connection)
            await auntil(lambda: books.state(job) == "completed", what="the job ends")
            books.rows(NOT_DONE, [job.id])
            await auntil(lambda: books.unfinished() == 0, what="it ends once more")

    play(scenario())
    assert ran == [1, 1]
