"""Handlers that count in the job's own transaction, through every kind of connection."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

from jobqueue import JobQueue, Task, current_job
from tests.worker.books import Books

COUNT = "UPDATE counter SET effects = effects + 1"


@dataclass(frozen=True)
class Way:
    """A way to the transaction: what `using` is, and whether its task is a coroutine."""

    name: str
    is_async: bool
    using: Callable[[str], Any]

    def __str__(self) -> str:
        return self.name


def _url(url: str, driver: str) -> URL:
    given = conninfo_to_dict(url)
    return URL.create(
        f"postgresql+{driver}",
        username=given.get("user"),
        password=given.get("password"),
        host=None,
        database=given["dbname"],
        query={key: given[key] for key in ("host", "port") if given.get(key)},
    )


def engine(url: str) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(_url(url, "psycopg"), poolclass=NullPool)


def async_engine(driver: str) -> Callable[[str], Any]:
    return lambda url: create_async_engine(_url(url, driver), poolclass=NullPool)


WAYS = [
    Way("psycopg", False, lambda url: None),
    Way("psycopg-async", True, lambda url: None),
    Way("engine", False, engine),
    Way("sessionmaker", False, lambda url: sessionmaker(engine(url))),
    Way("async-engine", True, async_engine("psycopg")),
    Way("async-engine-asyncpg", True, async_engine("asyncpg")),
    Way("async-sessionmaker", True, lambda url: async_sessionmaker(async_engine("psycopg")(url))),
    Way(
        "async-sessionmaker-asyncpg",
        True,
        lambda url: async_sessionmaker(async_engine("asyncpg")(url)),
    ),
]
PLAIN, COROUTINE = WAYS[0], WAYS[1]


def with_counter(books: Books) -> None:
    """Make the application's own table."""
    books.rows("CREATE TABLE counter (effects integer NOT NULL)")
    books.rows("INSERT INTO counter VALUES (0)")


def effects(books: Books) -> int:
    return books.value("SELECT effects FROM counter")


def processed(books: Books) -> int:
    return books.value("SELECT count(*) FROM jobqueue.processed_ids")


def counting(
    jobs: JobQueue,
    way: Way,
    url: str,
    *,
    inside: Callable[[Any], Any] = lambda connection: None,
    after: Callable[[], Any] = lambda: None,
    **options: Any,
) -> Task[[], Any]:
    """Register a task that counts in its transaction.

    inside: called in the block after the count, with the connection; after: when it is over. Both
    may give something to wait for, in a coroutine.
    """
    using = way.using(url)

    async def in_a_coroutine() -> None:
        async with current_job().transaction(using) as connection:
            await connection.execute(_statement(connection))
            if inspect.isawaitable(waits := inside(connection)):
                await waits
        after()

    def in_a_thread() -> None:
        with current_job().transaction(using) as connection:
            connection.execute(_statement(connection))
            inside(connection)
        after()

    return jobs.task(name="counting", **options)(in_a_coroutine if way.is_async else in_a_thread)


def _statement(connection: Any) -> Any:
    of_sqlalchemy = type(connection).__module__.startswith("sqlalchemy")
    return sqlalchemy.text(COUNT) if of_sqlalchemy else COUNT
