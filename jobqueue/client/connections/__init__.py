"""How to enqueue through each kind of connection: one small adapter a module.

An adapter has `adapt(connection)` and `adapt_async(connection)`. Each gives the function that
executes text inside the connection's own transaction, or None if the object is not of its kind.
No driver is imported unless the application has imported it already.
"""

from __future__ import annotations

from jobqueue.client.connections import psycopg_adapter, sqlalchemy_adapter
from jobqueue.core.errors import UnsupportedConnection
from jobqueue.store.statement import Execute, ExecuteAsync

ADAPTERS = (psycopg_adapter, sqlalchemy_adapter)

SUPPORTED = (
    "psycopg Connection and AsyncConnection; SQLAlchemy Connection, Session, scoped_session, "
    "AsyncConnection and AsyncSession"
)


def executor(connection: object) -> Execute:
    """Give the function that executes text on `connection`, in its transaction.

    Raises UnsupportedConnection.
    """
    for adapter in ADAPTERS:
        if (execute := adapter.adapt(connection)) is not None:
            return execute
    if any(adapter.adapt_async(connection) is not None for adapter in ADAPTERS):
        raise _wrong_way(connection, "asynchronous", "await task.aenqueue(connection, ...)")
    raise _unsupported(connection)


def executor_async(connection: object) -> ExecuteAsync:
    """Give the coroutine function that executes text on `connection`, in its transaction.

    Raises UnsupportedConnection.
    """
    for adapter in ADAPTERS:
        if (execute := adapter.adapt_async(connection)) is not None:
            return execute
    if any(adapter.adapt(connection) is not None for adapter in ADAPTERS):
        raise _wrong_way(connection, "synchronous", "task.enqueue(connection, ...)")
    raise _unsupported(connection)


def _name(connection: object) -> str:
    kind = type(connection)
    return f"{kind.__module__}.{kind.__qualname__}"


def _wrong_way(connection: object, way: str, remedy: str) -> UnsupportedConnection:
    return UnsupportedConnection(f"connection {_name(connection)}: is {way}; use {remedy}")


def _unsupported(connection: object) -> UnsupportedConnection:
    return UnsupportedConnection(
        f"connection {_name(connection)}: not a kind of connection we know; "
        f"pass it first, one of: {SUPPORTED}"
    )
