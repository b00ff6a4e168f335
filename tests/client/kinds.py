"""Every kind of connection a job can be enqueued through, behind one face for the tests.

The face is asynchronous. Where the connection is not, its calls simply do not wait.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import psycopg
import sqlalchemy
from psycopg.rows import dict_row
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from jobqueue import Enqueued, Task
from jobqueue.store.database import to_conninfo


async def settle(result: Any) -> Any:
    """Wait for `result` if there is something to wait for."""
    return await result if inspect.isawaitable(result) else result


@dataclass(frozen=True)
class Kind:
    """A kind of connection: its name, how one is opened, and which of the two ways it goes."""

    name: str
    open: Callable[[str], AbstractAsyncContextManager[Any]]
    is_async: bool
    of_sqlalchemy: bool

    def __str__(self) -> str:
        return self.name

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

    async def execute(self, connection: Any, text: str) -> None:
        """Execute the application's own statement."""
        await settle(connection.execute(sqlalchemy.text(text) if self.of_sqlalchemy else text))

    @asynccontextmanager
    async def savepoint(self, connection: Any) -> AsyncIterator[None]:
        """A savepoint that is rolled back to when the body raises."""
        nested = connection.begin_nested() if self.of_sqlalchemy else connection.transaction()
        if self.is_async:
            async with nested:
                yield
        else:
            with nested:
                yield


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _psycopg(**options: Any) -> Callable[[str], AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Any]:
        with psycopg.connect(to_conninfo(url), **options) as connection:
            yield connection

    return opened


def _psycopg_async(**options: Any) -> Callable[[str], AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Any]:
        connection = await psycopg.AsyncConnection.connect(to_conninfo(url), **options)
        async with connection:
            yield connection

    return opened


def _engine(
    make: Callable[[sqlalchemy.Engine], Any],
) -> Callable[[str], AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Any]:
        engine = sqlalchemy.create_engine(_sqlalchemy_url(url), poolclass=NullPool)
        connection = make(engine)
        yield connection
        getattr(connection, "remove", connection.close)()
        engine.dispose()

    return opened


def _async_engine(
    make: Callable[[ModuleType, Any], Any],
) -> Callable[[str], AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Any]:
        # Here, not above: it cannot be imported without greenlet, and only these kinds need it.
        from sqlalchemy.ext import asyncio

        engine = asyncio.create_async_engine(_sqlalchemy_url(url), poolclass=NullPool)
        connection = await settle(make(asyncio, engine))
        yield connection
        await getattr(connection, "remove", connection.close)()
        await engine.dispose()

    return opened


def _scoped(asyncio: ModuleType, engine: Any) -> Any:
    return asyncio.async_scoped_session(asyncio.async_sessionmaker(engine), lambda: "test")


KINDS = [
    Kind("psycopg", _psycopg(), is_async=False, of_sqlalchemy=False),
    Kind("psycopg-dict_row", _psycopg(row_factory=dict_row), is_async=False, of_sqlalchemy=False),
    Kind(
        "psycopg-ClientCursor",
        _psycopg(cursor_factory=psycopg.ClientCursor),
        is_async=False,
        of_sqlalchemy=False,
    ),
    Kind("psycopg-async", _psycopg_async(), is_async=True, of_sqlalchemy=False),
    Kind(
        "psycopg-async-dict_row",
        _psycopg_async(row_factory=dict_row),
        is_async=True,
        of_sqlalchemy=False,
    ),
    Kind("Connection", _engine(lambda engine: engine.connect()), False, of_sqlalchemy=True),
    Kind("Session", _engine(Session), is_async=False, of_sqlalchemy=True),
    Kind(
        "scoped_session",
        _engine(lambda engine: scoped_session(sessionmaker(engine))),
        is_async=False,
        of_sqlalchemy=True,
    ),
    Kind(
        "AsyncConnection",
        _async_engine(lambda _, engine: engine.connect().start()),
        is_async=True,
        of_sqlalchemy=True,
    ),
    Kind(
        "AsyncSession",
        _async_engine(lambda asyncio, engine: asyncio.AsyncSession(engine)),
        is_async=True,
        of_sqlalchemy=True,
    ),
    Kind(
        "async_scoped_session",
        _async_engine(_scoped),
        is_async=True,
        of_sqlalchemy=True,
    ),
]
SYNC_KINDS = [kind for kind in KINDS if not kind.is_async]
ASYNC_KINDS = [kind for kind in KINDS if kind.is_async]
