"""Where a job's transaction comes from: the worker's own pools, or the application's SQLAlchemy.

SQLAlchemy is imported only when the application passes something of its own.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, cast

import psycopg

from jobqueue.core.errors import ConfigurationError, UnsupportedConnection

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.orm import Session

USABLE = (
    "your Engine or sessionmaker (AsyncEngine or async_sessionmaker in an async task), "
    "or nothing for a connection of the worker's own"
)


class Pools(Protocol):
    """Where a worker's jobs get connections of the worker's own."""

    def connection(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """Lend a connection that is in a transaction, and commit or roll back at the end."""
        ...

    def aconnection(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        """Lend an asynchronous connection; as `connection`."""
        ...


def opened(using: Any, pools: Pools) -> AbstractContextManager[Any]:  # noqa: ANN401 - several kinds
    """Give the transaction to make a job's effects in: committed at the end or rolled back.

    Raises ConfigurationError or UnsupportedConnection when `using` cannot give one.
    """
    if using is None:
        return pools.connection()
    if _is_async(using):
        raise ConfigurationError(
            f"transaction({_kind(using)}): is asynchronous, and `with` is not; use `async with` in "
            "an async task, or pass an Engine or sessionmaker"
        )
    return using.begin()


def opened_async(using: Any, pools: Pools) -> AbstractAsyncContextManager[Any]:  # noqa: ANN401
    """Give an asynchronous one; as `opened`."""
    if using is None:
        return pools.aconnection()
    if not _is_async(using):
        raise ConfigurationError(
            f"transaction({_kind(using)}): would block the event loop; pass an AsyncEngine or "
            "async_sessionmaker, or use `with` in a plain function"
        )
    return using.begin()


def _is_async(using: object) -> bool:
    """Tell the two ways apart. Raises UnsupportedConnection for anything else."""
    from sqlalchemy import Engine  # noqa: PLC0415 - only if the application uses it
    from sqlalchemy.ext.asyncio import (  # noqa: PLC0415
        AsyncEngine,
        AsyncSession,
        async_sessionmaker,
    )
    from sqlalchemy.orm import sessionmaker  # noqa: PLC0415

    if isinstance(using, AsyncEngine | async_sessionmaker):
        return True
    if isinstance(using, sessionmaker) and issubclass(
        cast("sessionmaker[Session]", using).class_, AsyncSession
    ):
        raise UnsupportedConnection(
            "transaction(sessionmaker): makes AsyncSessions, which it cannot begin; "
            "pass an async_sessionmaker"
        )
    if isinstance(using, Engine | sessionmaker):
        return False
    raise UnsupportedConnection(
        f"transaction({_kind(using)}): not something that begins a transaction for the job and "
        f"commits it with its completion; pass {USABLE}"
    )


def _kind(using: object) -> str:
    kind = type(using)
    return f"{kind.__module__.partition('.')[0]} {kind.__qualname__}"


class Guard:
    """Sees to it that nothing but the end of the block ends a job's transaction.

    A commit in the middle would make the first half of the effects for good. psycopg refuses it
    inside `transaction()`; SQLAlchemy is stopped here, before the database hears of it.
    """

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._error: ConfigurationError | None = None
        self._over = False

    def watch(self, opened: object) -> None:
        """Guard what `opened` gave. Raises ConfigurationError if it has no transaction."""
        if isinstance(opened, psycopg.Connection):
            return
        from sqlalchemy.orm import Session  # noqa: PLC0415 - only if the application uses it

        if isinstance(opened, Session):
            self._watch(opened.connection(), opened)
        else:
            self._watch(cast("Connection", opened), None)

    async def watch_async(self, opened: object) -> None:
        """Guard what `opened_async` gave; as `watch`."""
        if isinstance(opened, psycopg.AsyncConnection):
            return
        from sqlalchemy.ext.asyncio import AsyncSession  # noqa: PLC0415

        if isinstance(opened, AsyncSession):
            connection = (await opened.connection()).sync_connection
            self._watch(connection, opened.sync_session)
        else:
            self._watch(cast("AsyncConnection", opened).sync_connection, None)

    def check(self) -> None:
        """Raise what was refused, for a block that went on all the same."""
        if self._error is not None:
            raise self._error

    def open(self) -> None:
        """Let the block's own commit pass."""
        self._over = True

    def _watch(self, connection: Connection | None, session: Session | None) -> None:
        from sqlalchemy import Connection, event  # noqa: PLC0415

        assert connection is not None  # noqa: S101 - it was just begun
        if session is not None and isinstance(session.get_bind(), Connection):
            raise ConfigurationError(
                f"job {self._job_id}: its sessionmaker is bound to a Connection, whose transaction "
                "is not the session's to commit; bind it to the Engine"
            )
        if getattr(connection.connection.dbapi_connection, "autocommit", False):
            raise ConfigurationError(
                f"job {self._job_id}: its Engine is in AUTOCOMMIT mode, which has no transaction; "
                "pass one with the default isolation level, "
                "engine.execution_options(isolation_level='READ COMMITTED')"
            )
        if session is not None:
            event.listen(session, "before_commit", self._before_commit)
        event.listen(connection, "commit", self._commit)
        event.listen(connection, "rollback", self._rollback)

    def _before_commit(self, session: Session) -> None:
        # Releasing a savepoint is no commit. What is refused here leaves the session as it was.
        if not self._over and not session.in_nested_transaction():
            raise self._refusal()

    def _commit(self, connection: Connection) -> None:
        if self._over:
            return
        self._error = self._refusal()
        # SQLAlchemy holds a transaction whose commit failed to be over, and does not roll it back.
        connection.dialect.do_rollback(connection.connection)
        raise self._error

    def _rollback(self, _: Connection) -> None:
        self._error = self._error or ConfigurationError(
            f"job {self._job_id}: rolled back inside its transaction() block, which is then over; "
            "raise an exception to roll back the block, or use begin_nested() for a part of it"
        )

    def _refusal(self) -> ConfigurationError:
        return ConfigurationError(
            f"job {self._job_id}: commit() inside its transaction() block: the block commits at "
            "its end, together with the job's completion; leave out commit()"
        )
