"""How to enqueue through each kind of connection: one small adapter a module.

An adapter has `adapt(connection)` and `adapt_async(connection)`. Each gives what enqueue needs of
the connection, or None if the object is not of its kind.
No driver is imported unless the application has imported it already.
"""

from __future__ import annotations

from jobqueue.client.connections import (
    asyncpg_adapter,
    django_adapter,
    psycopg_adapter,
    sqlalchemy_adapter,
)
from jobqueue.client.connections.adapted import Adapted, AdaptedAsync
from jobqueue.core.errors import UnsupportedConnection

ADAPTERS = (psycopg_adapter, sqlalchemy_adapter, django_adapter, asyncpg_adapter)

SUPPORTED = (
    "psycopg Connection and AsyncConnection; SQLAlchemy Connection, Session, scoped_session, "
    "AsyncConnection and AsyncSession; Django's connection; asyncpg Connection"
)


def adapted(connection: object) -> Adapted:
    """Give what enqueue needs of a synchronous connection.

    Raises UnsupportedConnection.
    """
    for adapter in ADAPTERS:
        if (found := adapter.adapt(connection)) is not None:
            return found
    if any(adapter.adapt_async(connection) is not None for adapter in ADAPTERS):
        raise _wrong_way(connection, "asynchronous", "await task.aenqueue(connection, ...)")
    raise _unsupported(connection, "task.enqueue_now(...)")


def adapted_async(connection: object) -> AdaptedAsync:
    """Give what enqueue needs of an asynchronous connection.

    Raises UnsupportedConnection.
    """
    for adapter in ADAPTERS:
        if (found := adapter.adapt_async(connection)) is not None:
            return found
    if any(adapter.adapt(connection) is not None for adapter in ADAPTERS):
        raise _wrong_way(connection, "synchronous", "task.enqueue(connection, ...)")
    raise _unsupported(connection, "await task.aenqueue_now(...)")


def _name(connection: object) -> str:
    kind = type(connection)
    return f"{kind.__module__}.{kind.__qualname__}"


def _wrong_way(connection: object, way: str, remedy: str) -> UnsupportedConnection:
    return UnsupportedConnection(f"connection {_name(connection)}: is {way}; use {remedy}")


def _unsupported(connection: object, without: str) -> UnsupportedConnection:
    if connection is None:
        rule = "none is given; "
    elif hasattr(connection, "connect") or hasattr(connection, "acquire"):
        rule = "makes connections and is none; take one from it and "
    else:
        rule = "not a kind of connection we know; "
    return UnsupportedConnection(
        f"connection {_name(connection)}: {rule}pass it first, one of: {SUPPORTED}; "
        f"for a job in a transaction of its own use {without}"
    )
