"""Waiting for a job from Python, and reading what it returned, over every kind of connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from jobqueue import (
    ConfigurationError,
    Enqueued,
    JobCancelled,
    JobDead,
    JobQueue,
    JobUnknown,
    NoResult,
    NotDone,
    ResultError,
    State,
)
from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose
from tests.client.kinds import KINDS, Kind
from tests.store.roles import connected_as
from tests.store.steps import bury, claim, complete, give, register
from tests.worker.books import Books

queue = JobQueue()


@queue.task(name="work", returns=True)
def work(n: int = 0) -> Any: ...


@queue.task
def silent() -> None: ...


every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
End = Callable[[psycopg.Connection, Any], object]


def returning(result: object) -> End:
    return lambda connection, job: give(connection, job, result=result)


def end(books: Books, how: End) -> Enqueued:
    """Let a job end in a way."""
    job = work.enqueue(books.connection)
    [claimed] = claim(books.connection, register(books.connection))
    how(books.connection, claimed)
    return job


@contextmanager
def ending_soon(books: Books, how: End) -> Iterator[Enqueued]:
    """Let a job end a little after the body has begun."""
    job = work.enqueue(books.connection)
    [claimed] = claim(books.connection, register(books.connection))
    inside = threading.Event()

    def ends() -> None:
        inside.wait(20)
        sleep(0.1)
        how(books.connection, claimed)

    thread = threading.Thread(target=ends)
    thread.start()
    try:
        inside.set()
        yield job
    finally:
        thread.join()


@every_kind
def test_what_a_job_returned_is_waited_for_and_read(kind: Kind, books: Books):
    async def case(job: Enqueued) -> Any:
        async with kind.open(books.url) as connection:
            if kind.is_async:
                return await queue.aresult(connection, job, timeout=20)
            return queue.result(connection, job, timeout=20)

    with ending_soon(books, returning({"sum": [1, 2.5, None, "ü"]})) as job:
        assert asyncio.run(case(job)) == {"sum": [1, 2.5, None, "ü"]}


@every_kind
def test_the_end_of_a_job_is_waited_for(kind: Kind, books: Books):
    async def case(job: Enqueued) -> State:
        async with kind.open(books.url) as connection:
            if kind.is_async:
                return await queue.await_for(connection, job, timeout=20)
            return queue.wait_for(connection, job, timeout=20)

    with ending_soon(books, bury) as job:
        assert asyncio.run(case(job)) is State.DEAD


@pytest.mark.parametrize("result", [None, False, 0, "", [], 10**30])
def test_nothing_that_was_returned_is_taken_for_nothing(books: Books, result: object):
    assert queue.result(books.connection, end(books, returning(result)), timeout=0) == result


def test_other_tasks_of_the_event_loop_go_on_meanwhile(books: Books):
    async def case(job: Enqueued) -> int:
        ticks = 0
        async with await psycopg.AsyncConnection.connect(
            to_conninfo(books.url), autocommit=True
        ) as connection:
            waiting = asyncio.create_task(queue.aresult(connection, job))
            while not waiting.done():
                ticks += 1
                await asyncio.sleep(0.005)
            await waiting
        return ticks

    with ending_soon(books, returning(1)) as job:
        assert asyncio.run(case(job)) > 3


# What gives no result -------------------------------------------------------------------------


def test_a_job_that_does_not_end_in_time_is_left_after_that_time(books: Books):
    job = work.enqueue(books.connection)
    began = monotonic()
    with pytest.raises(NotDone, match=r"available after 0\.2 s of waiting") as caught:
        queue.result(books.connection, job, timeout=timedelta(milliseconds=200))
    assert 0.2 <= monotonic() - began < 5
    assert caught.value.job_id == job.id
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(NotDone):
        queue.wait_for(books.connection, job, timeout=0)


def test_a_dead_job_says_how_its_last_attempt_failed(books: Books):
    with pytest.raises(JobDead, match="the last failed with ValueError: no"):
        queue.result(books.connection, end(books, bury), timeout=0)


def test_a_cancelled_job_says_so(books: Books):
    job = work.enqueue(books.connection)
    queue.cancel(books.connection, job)
    with pytest.raises(JobCancelled, match="cancelled"):
        queue.result(books.connection, job, timeout=0)
    assert queue.wait_for(books.connection, job, timeout=0) is State.CANCELLED


def test_a_job_nobody_knows_is_not_waited_for(books: Books):
    for wait in (queue.result, queue.wait_for):
        with pytest.raises(JobUnknown, match="unknown; it is not committed yet"):
            wait(books.connection, uuid4(), timeout=60)


def test_a_task_that_keeps_no_result_is_not_waited_for(books: Books):
    job = silent.enqueue(books.connection)
    began = monotonic()
    with pytest.raises(NoResult, match="'silent'; declare it with"):
        queue.result(books.connection, job, timeout=60)
    assert monotonic() - began < 10


def test_a_result_that_follows_the_completion_is_waited_for(books: Books):
    job = end(books, complete)

    def follow() -> None:
        sleep(0.1)
        with psycopg.connect(to_conninfo(books.url)) as other:
            other.execute("UPDATE jobqueue.job_history SET result = '7'")

    thread = threading.Thread(target=follow)
    thread.start()
    assert queue.result(books.connection, job, timeout=20) == 7
    thread.join()


def test_one_that_does_not_follow_is_given_up(books: Books):
    job = end(books, complete)
    books.rows("UPDATE jobqueue.job_history SET finished_at = finished_at - interval '6 s'")
    with pytest.raises(NoResult, match="no result is kept"):
        queue.result(books.connection, job, timeout=60)


def test_every_error_is_a_result_error_and_names_the_job():
    for kind in (NotDone, JobDead, JobCancelled, JobUnknown, NoResult):
        assert issubclass(kind, ResultError)


# Transactions ---------------------------------------------------------------------------------


def test_a_transaction_that_would_never_see_the_end_is_not_waited_in(books: Books):
    job = work.enqueue(books.connection)
    with psycopg.connect(to_conninfo(books.url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(ConfigurationError, match="wait in one that is read committed"):
            queue.result(connection, job, timeout=60)


def test_a_job_that_is_not_committed_by_whoever_waits_says_that_it_has_to_be(books: Books):
    with psycopg.connect(to_conninfo(books.url)) as connection:
        job = work.enqueue(connection)
        with pytest.raises(NotDone, match="has to commit first"):
            queue.result(connection, job, timeout=0.05)


def test_a_role_that_may_only_read_waits_and_reads(books: Books):
    job = end(books, returning("it"))
    with connected_as(books.url, Purpose.READ) as reader:
        assert queue.result(reader, job, timeout=0) == "it"


@pytest.mark.parametrize("timeout", [-1, None, "5s", float("inf")])
def test_a_time_to_wait_that_is_none_is_refused(books: Books, timeout: object):
    with pytest.raises(ConfigurationError, match="timeout"):
        queue.result(books.connection, uuid4(), timeout=timeout)  # pyright: ignore[reportArgumentType]
