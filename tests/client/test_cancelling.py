"""Cancelling a job from Python, in the transaction of every kind of connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from jobqueue import Cancellation, ConfigurationError, Enqueued, JobQueue, UnsupportedConnection
from tests.client.books import jobs
from tests.client.kinds import KINDS, Kind
from tests.worker.books import Books

queue = JobQueue()


@queue.task
def note(number: int) -> None: ...


every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


async def cancel(kind: Kind, connection: object, job: Enqueued | UUID | str) -> Cancellation:
    if kind.is_async:
        return await queue.acancel(connection, job)
    return queue.cancel(connection, job)


def states(url: str) -> list[str]:
    return [one["state"] for one in jobs(url)]


@every_kind
def test_a_waiting_job_is_cancelled_if_the_transaction_commits(kind: Kind, database_url: str):
    async def case() -> None:
        async with kind.open(database_url) as connection:
            job = await kind.enqueue(note, connection, number=1)
            await kind.commit(connection)
            assert await cancel(kind, connection, job) is Cancellation.CANCELLED
            await kind.rollback(connection)
            assert states(database_url) == ["available"]
            assert await cancel(kind, connection, job) is Cancellation.CANCELLED
            await kind.commit(connection)
            assert await cancel(kind, connection, job) is Cancellation.ENDED

    asyncio.run(case())
    assert states(database_url) == ["cancelled"]


@pytest.fixture
def job(books: Books) -> Enqueued:
    job = note.enqueue(books.connection, 1)
    books.rows("UPDATE jobqueue.jobs SET state = 'running', worker_id = 1, lease = 1")
    return job


@every_kind
def test_a_running_job_is_asked_if_the_transaction_commits(kind: Kind, books: Books, job: Enqueued):
    asked = "SELECT count(*) FROM jobqueue.cancel_requests"

    async def case() -> None:
        async with kind.open(books.url) as connection:
            assert await cancel(kind, connection, job) is Cancellation.ASKED
            await kind.rollback(connection)
            assert books.value(asked) == 0
            assert await cancel(kind, connection, job) is Cancellation.ASKED
            await kind.commit(connection)

    asyncio.run(case())
    assert (books.value(asked), books.state(job)) == (1, "running")


@pytest.mark.parametrize("named", [lambda job: job, lambda job: job.id, lambda job: str(job.id)])
def test_a_job_is_named_by_what_its_enqueue_gave_or_by_its_id(
    books: Books, job: Enqueued, named: Callable[[Enqueued], Enqueued | UUID | str]
):
    assert queue.cancel(books.connection, named(job)) is Cancellation.ASKED


def test_it_says_whether_it_was_in_time(books: Books):
    assert Cancellation.CANCELLED.in_time
    assert Cancellation.ASKED.in_time
    assert not queue.cancel(books.connection, uuid4()).in_time
    assert not Cancellation.ENDED.in_time


@pytest.mark.parametrize("job", ["42", 42, None, note])
def test_what_is_no_job_is_refused_before_anything_is_sent(books: Books, job: object):
    with pytest.raises(ConfigurationError, match="not a job; give what enqueue gave, or its id"):
        queue.cancel(books.connection, job)  # pyright: ignore[reportArgumentType]


def test_what_is_no_connection_is_refused(job: Enqueued):
    with pytest.raises(UnsupportedConnection):
        queue.cancel(5, job)
