"""SQLAlchemy: `Connection`, `Session`, `scoped_session` and their async forms."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from jobqueue.client.connections import asyncpg_adapter, psycopg_adapter
from jobqueue.client.connections.adapted import Adapted, AdaptedAsync, Loads
from jobqueue.core.errors import UnsupportedConnection
from jobqueue.store.statement import Params, numbered

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult
    from sqlalchemy.engine import Dialect
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

# Drivers that take parameters as %(name)s, as the statements are written, and as $1.
NAMED = frozenset({"psycopg", "psycopg_async", "psycopg2"})
NUMBERED = frozenset({"asyncpg"})
# Drivers through whose own connection COPY is known to work.
COPYING = frozenset({"psycopg", "psycopg_async", "asyncpg"})


def adapt(connection: object) -> Adapted | None:
    """Adapt a SQLAlchemy `Connection`, or the one a `Session` works with."""
    if "sqlalchemy" not in sys.modules:
        return None
    from sqlalchemy import Connection  # noqa: PLC0415 - only if the application uses it
    from sqlalchemy.orm import Session, scoped_session  # noqa: PLC0415

    if isinstance(connection, Session | scoped_session):
        # A session takes a connection when it is first used, and no sooner.
        return _on(connection.get_bind().dialect, connection.connection)
    if isinstance(connection, Connection):
        return _on(connection.dialect, lambda: connection)
    return None


def _on(dialect: Dialect, connection: Callable[[], Connection]) -> Adapted:
    _known(dialect)

    def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        with _hiding():
            return _rows(connection().exec_driver_sql(*_for_driver(dialect, text, params)))

    def copy(loads: Loads) -> None:
        with _hiding():
            driver = psycopg_adapter.adapt(connection().connection.driver_connection)
            if driver is not None and driver.copy is not None:
                driver.copy(loads)

    return Adapted(execute, copy if dialect.driver in COPYING else None)


def adapt_async(connection: object) -> AdaptedAsync | None:
    """Adapt a SQLAlchemy `AsyncConnection`, or the one an `AsyncSession` works with."""
    if "sqlalchemy.ext.asyncio" not in sys.modules:
        return None
    from sqlalchemy.ext.asyncio import (  # noqa: PLC0415 - only if the application uses it
        AsyncConnection,
        AsyncSession,
        async_scoped_session,
    )

    if not isinstance(connection, AsyncConnection | AsyncSession | async_scoped_session):
        return None
    given = cast("AsyncConnection | AsyncSession", connection)

    async def used() -> AsyncConnection:
        return given if isinstance(given, AsyncConnection) else await given.connection()

    async def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        with _hiding():
            on = await used()
            return _rows(await on.exec_driver_sql(*_for_driver(_known(on.dialect), text, params)))

    async def copy(loads: Loads) -> None:
        with _hiding():
            raw = (await (await used()).get_raw_connection()).driver_connection
            driver = psycopg_adapter.adapt_async(raw) or asyncpg_adapter.adapt_async(raw)
            if driver is not None and driver.copy is not None:
                await driver.copy(loads)

    return AdaptedAsync(execute, copy)


@contextmanager
def _hiding() -> Generator[None]:
    """Keep arguments, which may be secret, out of the errors that SQLAlchemy makes of a failure."""
    from sqlalchemy.exc import StatementError  # noqa: PLC0415 - only if the application uses it

    try:
        yield
    except StatementError as error:
        error.hide_parameters = True
        raise


def _known(dialect: Dialect) -> Dialect:
    """Return the dialect, or raise UnsupportedConnection if its driver is not one we know."""
    if dialect.driver not in NAMED | NUMBERED:
        raise UnsupportedConnection(
            f"SQLAlchemy driver {dialect.name}+{dialect.driver}: not one we can enqueue through; "
            "use postgresql+psycopg, or postgresql+asyncpg for async"
        )
    return dialect


def _for_driver(dialect: Dialect, text: str, params: Params) -> tuple[str, Any]:
    """Write a statement as the driver takes it."""
    if dialect.driver in NAMED:
        return text, dict(params)
    query, names = numbered(text)
    return query, tuple(params[name] for name in names)


def _rows(result: CursorResult[Any]) -> Sequence[tuple[Any, ...]]:
    return [tuple(row) for row in result] if result.returns_rows else ()
