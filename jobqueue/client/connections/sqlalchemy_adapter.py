"""SQLAlchemy: `Connection`, `Session`, `scoped_session` and their async forms, over psycopg."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from jobqueue.core.errors import UnsupportedConnection
from jobqueue.store.statement import Execute, ExecuteAsync, Params

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult
    from sqlalchemy.engine import Dialect

# Drivers that take parameters as %(name)s, as the statements are written.
DRIVERS = frozenset({"psycopg", "psycopg_async", "psycopg2"})


def adapt(connection: object) -> Execute | None:
    """Execute on a SQLAlchemy `Connection`, or on the one a `Session` works with."""
    if "sqlalchemy" not in sys.modules:
        return None
    from sqlalchemy import Connection  # noqa: PLC0415 - only if the application uses it
    from sqlalchemy.orm import Session, scoped_session  # noqa: PLC0415

    if isinstance(connection, Connection):
        return _on(lambda: connection)
    if isinstance(connection, Session | scoped_session):
        # A session takes a connection when it is first used, and no sooner.
        return _on(connection.connection)
    return None


def adapt_async(connection: object) -> ExecuteAsync | None:
    """Execute on a SQLAlchemy `AsyncConnection`, or on the one an `AsyncSession` works with."""
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

    async def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        used = given if isinstance(given, AsyncConnection) else await given.connection()
        _check_driver(used.dialect)
        return _rows(await used.exec_driver_sql(text, dict(params)))

    return execute


def _on(connection: Callable[[], Connection]) -> Execute:
    def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        used = connection()
        _check_driver(used.dialect)
        return _rows(used.exec_driver_sql(text, dict(params)))

    return execute


def _check_driver(dialect: Dialect) -> None:
    if dialect.driver not in DRIVERS:
        raise UnsupportedConnection(
            f"SQLAlchemy driver {dialect.name}+{dialect.driver}: not one we can enqueue through; "
            "use postgresql+psycopg"
        )


def _rows(result: CursorResult[Any]) -> Sequence[tuple[Any, ...]]:
    return [tuple(row) for row in result]
