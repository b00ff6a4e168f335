"""One face for each family of connections: open, execute, savepoint, commit, roll back."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy.pool import NullPool

from jobqueue import Enqueued, Task
from jobqueue.store.database import to_conninfo
from tests.client.django_databases import django_database

Opened = AbstractAsyncContextManager[Any]


class Kind:
    """A kind of connection, asynchronous or not. A connection is opened in a transaction."""

    is_async = False

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name

    def open(self, url: str) -> Opened:
        """Open one."""
        raise NotImplementedError

    async def enqueue(self, task: Task[..., Any], connection: object, /, **args: Any) -> Enqueued:
        """Enqueue as this kind has to."""
        if self.is_async:
            return await task.aenqueue(connection, **args)
        return task.enqueue(connection, **args)

    async def enqueue_many(
        self, task: Task[..., Any], connection: object, items: Iterable[Mapping[str, object]]
    ) -> list[Enqueued]:
        """Enqueue many as this kind has to."""
        if self.is_async:
            return await task.aenqueue_many(connection, items)
        return task.enqueue_many(connection, items)

    async def enqueue_bulk(
        self, task: Task[..., Any], connection: object, items: Iterable[Mapping[str, object]]
    ) -> int:
        """Enqueue in bulk as this kind has to."""
        if self.is_async:
            return await task.aenqueue_bulk(connection, items)
        return task.enqueue_bulk(connection, items)

    async def execute(self, connection: Any, text: str) -> None:
        """Execute the application's own statement."""
        connection.execute(text)

    async def commit(self, connection: Any) -> None:
        """Commit, and be in a transaction again."""
        connection.commit()

    async def rollback(self, connection: Any) -> None:
        """Roll back, and be in a transaction again."""
        connection.rollback()

    @asynccontextmanager
    async def savepoint(self, connection: Any) -> AsyncIterator[None]:
        """A savepoint that is rolled back to when the body raises."""
        with connection.transaction():
            yield


class Psycopg(Kind):
    """psycopg, synchronous."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name)
        self.options = options

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Any]:
        with psycopg.connect(to_conninfo(url), **self.options) as connection:
            yield connection


class Async(Kind):
    """What the asynchronous ones have in common."""

    is_async = True

    async def execute(self, connection: Any, text: str) -> None:
        await connection.execute(text)

    async def commit(self, connection: Any) -> None:
        await connection.commit()

    async def rollback(self, connection: Any) -> None:
        await connection.rollback()

    @asynccontextmanager
    async def savepoint(self, connection: Any) -> AsyncIterator[None]:
        async with connection.transaction():
            yield


class PsycopgAsync(Async):
    """psycopg, asynchronous."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name)
        self.options = options

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Any]:
        connection = await psycopg.AsyncConnection.connect(to_conninfo(url), **self.options)
        async with connection:
            yield connection


def sqlalchemy_url(url: str, driver: str) -> str:
    """Give `url` as SQLAlchemy takes it for `driver`."""
    return url.replace("postgresql://", f"postgresql+{driver}://", 1)


class SQLAlchemy(Kind):
    """SQLAlchemy's connections and sessions, synchronous."""

    def __init__(self, name: str, make: Callable[[sqlalchemy.Engine], Any], driver: str) -> None:
        super().__init__(name)
        self.make = make
        self.driver = driver

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Any]:
        engine = sqlalchemy.create_engine(sqlalchemy_url(url, self.driver), poolclass=NullPool)
        connection = self.make(engine)
        try:
            yield connection
        finally:
            getattr(connection, "remove", connection.close)()
            engine.dispose()

    async def execute(self, connection: Any, text: str) -> None:
        with warnings.catch_warnings():
            # SQLModel would rather have its own exec(), which is for queries of models.
            warnings.simplefilter("ignore", DeprecationWarning)
            connection.execute(sqlalchemy.text(text))

    @asynccontextmanager
    async def savepoint(self, connection: Any) -> AsyncIterator[None]:
        with connection.begin_nested():
            yield


class SQLAlchemyAsync(Async):
    """SQLAlchemy's connections and sessions, asynchronous."""

    def __init__(self, name: str, make: Callable[[Any, Any], Any], driver: str) -> None:
        super().__init__(name)
        self.make = make
        self.driver = driver

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Any]:
        # Here, not above: it cannot be imported without greenlet, and only these kinds need it.
        from sqlalchemy.ext import asyncio

        engine = asyncio.create_async_engine(sqlalchemy_url(url, self.driver), poolclass=NullPool)
        connection = self.make(asyncio, engine)
        if hasattr(connection, "__await__"):
            connection = await connection
        try:
            yield connection
        finally:
            await getattr(connection, "remove", connection.close)()
            await engine.dispose()

    async def execute(self, connection: Any, text: str) -> None:
        await connection.execute(sqlalchemy.text(text))

    @asynccontextmanager
    async def savepoint(self, connection: Any) -> AsyncIterator[None]:
        async with connection.begin_nested():
            yield


class Django(Kind):
    """Django's connection to the database `alias`, in `atomic()`."""

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(name)
        self.alias = alias
        self.blocks: list[Any] = []

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Any]:
        with django_database(url, self.alias) as connection:
            self._begin()
            try:
                yield connection
            finally:
                with suppress(Exception):
                    self._end(roll_back=True)

    def _begin(self) -> None:
        from django.db import transaction

        block = transaction.atomic(using=self.alias)
        block.__enter__()
        self.blocks.append(block)

    def _end(self, *, roll_back: bool) -> None:
        from django.db import transaction

        if roll_back:
            transaction.set_rollback(True, using=self.alias)
        self.blocks.pop().__exit__(None, None, None)

    async def execute(self, connection: Any, text: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(text)

    async def commit(self, connection: Any) -> None:
        self._end(roll_back=False)
        self._begin()

    async def rollback(self, connection: Any) -> None:
        self._end(roll_back=True)
        self._begin()

    @asynccontextmanager
    async def savepoint(self, connection: Any) -> AsyncIterator[None]:
        from django.db import transaction

        with transaction.atomic(using=self.alias):
            yield
