"""What may not be done with `current_job().transaction()`, and what is said about it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from jobqueue import ConfigurationError, JobQueue, Retry, UnsupportedConnection, current_job
from jobqueue.store import dead_letters
from jobqueue.store.database import to_conninfo
from jobqueue.store.statement import run
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.effects import (
    COUNT,
    WAYS,
    Way,
    async_engine,
    counting,
    effects,
    engine,
    processed,
)
from tests.worker.effects import with_counter as counted
from tests.worker.playing import play, running

every_way = pytest.mark.parametrize("way", WAYS, ids=str)
SQLALCHEMY = [way for way in WAYS if not way.name.startswith("psycopg")]
every_way_of_sqlalchemy = pytest.mark.parametrize("way", SQLALCHEMY, ids=str)
ONCE = Retry(attempts=1)
AT_ONCE = Retry(attempts=5, backoff=lambda attempt: 0)


@pytest.fixture(autouse=True)
def counter(books: Books) -> None:
    counted(books)


def finish(books: Books, jobs: JobQueue, **settings: Any) -> None:
    """Run a worker until no job is left."""

    async def scenario() -> None:
        async with running(jobs, books.url, **settings):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())


def send(connection: Any, text: str) -> Any:
    """Send SQL through any kind of connection; a coroutine for an asynchronous one."""
    of_sqlalchemy = type(connection).__module__.startswith("sqlalchemy")
    return connection.execute(sqlalchemy.text(text) if of_sqlalchemy else text)


def only_error(books: Books, job: Any) -> str:
    record = books.job(job)
    assert record.state == "dead"
    [error] = record.errors or []
    return f"{error['error'].rpartition('.')[2]}: {error['message']}"


def swallowing(do: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Do it, and whatever comes of it, go on and count once more."""

    def sync(connection: Any) -> None:
        with suppress(Exception):
            do(connection)
            send(connection, COUNT)

    async def coroutine(connection: Any) -> None:
        with suppress(Exception):
            if inspect.isawaitable(waits := do(connection)):
                await waits
            await send(connection, COUNT)

    def either(connection: Any) -> Any:
        is_async = "Async" in type(connection).__name__
        return (coroutine if is_async else sync)(connection)

    return either


# Commits and rollbacks by hand ------------------------------------------------------------------


@every_way_of_sqlalchemy
def test_a_commit_in_the_block_is_refused_before_the_database_hears_of_it(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()
    task = counting(jobs, way, books.url, inside=lambda it: it.commit(), retry=AT_ONCE)
    job = task.enqueue(books.connection)
    finish(books, jobs)
    record = books.job(job)
    assert (record.state, record.attempt) == ("dead", 5), "an attempt was met as processed"
    assert all("leave out commit()" in error["message"] for error in record.errors or [])
    assert (effects(books), processed(books)) == (0, 0)


@every_way
@pytest.mark.parametrize("name", ["commit", "rollback", "close"])
def test_who_ends_the_transaction_and_goes_on_gets_all_effects_or_none(
    books: Books, way: Way, name: str
) -> None:
    jobs = JobQueue()
    inside = swallowing(lambda connection: getattr(connection, name)())
    task = counting(jobs, way, books.url, inside=inside, retry=ONCE)
    job = task.enqueue(books.connection)
    finish(books, jobs)
    end = (books.state(job), effects(books), processed(books))
    # What is refused leaves a psycopg connection and a session in their transaction.
    assert end in {("dead", 0, 0), ("completed", 1, 1)}
    if name != "commit" and way in SQLALCHEMY:
        assert only_error(books, job).startswith("ConfigurationError: job ")
        assert "raise an exception to roll back" in only_error(books, job)


@every_way_of_sqlalchemy
def test_savepoints_in_the_block_work(books: Books, way: Way) -> None:
    jobs = JobQueue()

    def nested(connection: Any) -> Any:
        return anested(connection) if way.is_async else nested_in_a_thread(connection)

    def nested_in_a_thread(connection: Any) -> None:
        with connection.begin_nested():
            send(connection, COUNT)
        with suppress(ValueError), connection.begin_nested():
            send(connection, COUNT)
            raise ValueError
        connection.begin_nested().rollback()

    async def anested(connection: Any) -> None:
        async with connection.begin_nested():
            await send(connection, COUNT)
        with suppress(ValueError):
            async with connection.begin_nested():
                await send(connection, COUNT)
                raise ValueError
        await (await connection.begin_nested()).rollback()

    job = counting(jobs, way, books.url, inside=nested, retry=ONCE).enqueue(books.connection)
    finish(books, jobs)
    assert books.state(job) == "completed"
    assert (effects(books), processed(books)) == (2, 1)


@every_way_of_sqlalchemy
def test_a_commit_within_a_savepoint_is_refused(books: Books, way: Way) -> None:
    jobs = JobQueue()

    async def anested(connection: Any) -> None:
        await connection.begin_nested()
        await connection.commit()

    def nested(connection: Any) -> Any:
        if way.is_async:
            return anested(connection)
        connection.begin_nested()
        return connection.commit()

    job = counting(jobs, way, books.url, inside=nested, retry=ONCE).enqueue(books.connection)
    finish(books, jobs)
    assert "leave out commit()" in only_error(books, job)
    assert (effects(books), processed(books)) == (0, 0)


@every_way
@pytest.mark.parametrize("goes_on", [True, False], ids=["goes-on", "ends"])
@pytest.mark.parametrize("swallows", [True, False], ids=["swallowed", "raised"])
def test_a_commit_sent_as_sql_ends_the_job_as_dead_and_a_redrive_runs_the_block_again(
    books: Books, way: Way, goes_on: bool, swallows: bool
) -> None:
    jobs = JobQueue()
    using = way.using(books.url)
    runs: list[str] = []

    async def acommit(connection: Any) -> None:
        await send(connection, COUNT)
        runs.append("run")
        if len(runs) == 1:
            await send(connection, "COMMIT")
            if goes_on:
                await send(connection, "UPDATE counter SET effects = effects + 10")

    @jobs.task(retry=AT_ONCE)
    async def committing() -> None:
        with suppress(ConfigurationError if swallows else ZeroDivisionError):
            async with current_job().transaction(using) as connection:
                await acommit(connection)

    @jobs.task(retry=AT_ONCE)
    def committing_in_a_thread() -> None:
        with (
            suppress(ConfigurationError if swallows else ZeroDivisionError),
            current_job().transaction(using) as connection,
        ):
            send(connection, COUNT)
            runs.append("run")
            if len(runs) == 1:
                send(connection, "COMMIT")
                if goes_on:
                    send(connection, "UPDATE counter SET effects = effects + 10")

    task = committing if way.is_async else committing_in_a_thread
    job = task.enqueue(books.connection)
    finish(books, jobs)
    assert only_error(books, job).startswith("PartlyCommitted: job ")
    assert "leave out COMMIT" in only_error(books, job)
    # asyncpg is in autocommit mode after that, so what came behind the COMMIT stands as well.
    left = 11 if goes_on and "asyncpg" in way.name else 1
    assert (effects(books), processed(books), len(runs)) == (left, 0, 1)

    assert len(run(books.execute, dead_letters.redrive([job.id]))) == 1
    finish(books, jobs)
    assert books.state(job) == "completed"
    assert (effects(books), processed(books), len(runs)) == (left + 1, 1, 2)


@every_way
def test_a_rollback_sent_as_sql_fails_the_attempt(books: Books, way: Way) -> None:
    jobs = JobQueue()
    task = counting(jobs, way, books.url, inside=lambda it: send(it, "ROLLBACK"), retry=ONCE)
    job = task.enqueue(books.connection)
    finish(books, jobs)
    assert "ROLLBACK inside its transaction() block" in only_error(books, job)
    assert (effects(books), processed(books)) == (0, 0)


def test_a_worker_killed_after_a_commit_sent_as_sql_leaves_nothing_to_be_met(books: Books) -> None:
    # As far as the database goes, that is a block which raises behind its COMMIT.
    jobs = JobQueue()
    runs: list[str] = []

    @jobs.task(retry=AT_ONCE)
    def committing() -> None:
        with current_job().transaction() as connection:
            runs.append("run")
            if len(runs) == 1:
                connection.execute("COMMIT")
                raise ValueError
            connection.execute(COUNT)

    job = committing.enqueue(books.connection)
    finish(books, jobs)
    assert (books.state(job), effects(books), len(runs)) == ("completed", 1, 2)


# The wrong kind of block ------------------------------------------------------------------------


@pytest.mark.parametrize("using", [lambda url: None, engine, async_engine("psycopg")])
def test_a_plain_block_in_an_async_task_is_refused_and_does_not_stop_the_event_loop(
    books: Books, using: Callable[[str], Any]
) -> None:
    jobs = JobQueue()

    @jobs.task(retry=ONCE)
    async def plain() -> None:
        with current_job().transaction(using(books.url)):
            pass

    job = plain.enqueue(books.connection)
    finish(books, jobs)
    assert only_error(books, job).startswith("ConfigurationError: job ")
    assert "use `async with`" in only_error(books, job)


def test_an_asynchronous_block_on_a_loop_in_a_thread_is_refused(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(retry=ONCE)
    def in_a_thread() -> None:
        async def block() -> None:
            async with current_job().transaction():
                pass

        asyncio.run(block())

    job = in_a_thread.enqueue(books.connection)
    finish(books, jobs)
    assert "not the worker's; use `with` in a plain function" in only_error(books, job)


def test_an_asynchronous_engine_on_a_loop_in_a_thread_works(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(retry=ONCE)
    def in_a_thread() -> None:
        async def block() -> None:
            using = async_engine("psycopg")(books.url)
            async with current_job().transaction(using) as connection:
                await connection.execute(sqlalchemy.text(COUNT))

        asyncio.run(block())

    job = in_a_thread.enqueue(books.connection)
    finish(books, jobs)
    assert (books.state(job), effects(books)) == ("completed", 1)


# What gives no transaction ----------------------------------------------------------------------


def refused(books: Books, using: Any, *, is_async: bool) -> str:
    """Give what is raised at a block with `using`, seen through a job."""
    jobs = JobQueue()

    @jobs.task(retry=ONCE)
    async def coroutine() -> None:
        async with current_job().transaction(using):
            pass

    @jobs.task(retry=ONCE)
    def thread() -> None:
        with current_job().transaction(using):
            pass

    job = (coroutine if is_async else thread).enqueue(books.connection)
    finish(books, jobs)
    assert effects(books) == processed(books) == 0
    return only_error(books, job)


@pytest.mark.parametrize("is_async", [False, True], ids=["with", "async-with"])
@pytest.mark.parametrize(
    "kind", ["Connection", "Session", "scoped_session", "AsyncConnection", "psycopg", "str"]
)
def test_what_has_begun_already_or_cannot_is_refused_with_what_to_pass(
    books: Books, is_async: bool, kind: str
) -> None:
    sync = engine(books.url)
    with sync.connect() as connection, psycopg.connect(to_conninfo(books.url)) as of_psycopg:
        using = {
            "Connection": connection,
            "Session": Session(sync),
            "scoped_session": scoped_session(sessionmaker(sync)),
            "AsyncConnection": async_engine("psycopg")(books.url).connect(),
            "psycopg": of_psycopg,
            "str": books.url,
        }[kind]
        error = refused(books, using, is_async=is_async)
    assert error.startswith(f"{UnsupportedConnection.__name__}: transaction(")
    assert "pass your Engine or sessionmaker (AsyncEngine or async_sessionmaker" in error


def test_each_way_is_told_from_the_other(books: Books) -> None:
    sync, asynchronous = engine(books.url), async_engine("psycopg")(books.url)
    for using in (sync, sessionmaker(sync)):
        error = refused(books, using, is_async=True)
        assert error.startswith("ConfigurationError: transaction(sqlalchemy ")
        assert "pass an AsyncEngine or async_sessionmaker, or use `with`" in error
    for using in (asynchronous, async_sessionmaker(asynchronous)):
        error = refused(books, using, is_async=False)
        assert "use `async with` in an async task, or pass an Engine or sessionmaker" in error
    for is_async in (False, True):
        using = sessionmaker(asynchronous, class_=AsyncSession)  # type: ignore[type-var]
        assert "pass an async_sessionmaker" in refused(books, using, is_async=is_async)


@every_way_of_sqlalchemy
def test_an_engine_in_autocommit_mode_is_refused(books: Books, way: Way) -> None:
    using = way.using(books.url)
    if isinstance(using, sessionmaker | async_sessionmaker):
        bind = using.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
        using.configure(bind=bind)
    else:
        using = using.execution_options(isolation_level="AUTOCOMMIT")
    assert "AUTOCOMMIT mode, which has no transaction" in refused(
        books, using, is_async=way.is_async
    )


def test_a_sessionmaker_bound_to_a_connection_is_refused(books: Books) -> None:
    with engine(books.url).connect() as connection:
        error = refused(books, sessionmaker(connection), is_async=False)
    assert "bind it to the Engine" in error


@every_way_of_sqlalchemy
def test_other_isolation_levels_will_do(books: Books, way: Way) -> None:
    jobs = JobQueue()
    using = way.using(books.url)
    if isinstance(using, sessionmaker | async_sessionmaker):
        using.configure(bind=using.kw["bind"].execution_options(isolation_level="SERIALIZABLE"))
    else:
        using = using.execution_options(isolation_level="SERIALIZABLE")
    of_level = Way(way.name, way.is_async, lambda url: using)
    job = counting(jobs, of_level, books.url, retry=ONCE).enqueue(books.connection)
    finish(books, jobs)
    assert (books.state(job), effects(books), processed(books)) == ("completed", 1, 1)
