"""psycopg 3: `Connection` and `AsyncConnection`."""

from __future__ import annotations

import psycopg

from jobqueue.store.database import executor, executor_async
from jobqueue.store.statement import Execute, ExecuteAsync


def adapt(connection: object) -> Execute | None:
    """Execute on a psycopg `Connection`."""
    return executor(connection) if isinstance(connection, psycopg.Connection) else None


def adapt_async(connection: object) -> ExecuteAsync | None:
    """Execute on a psycopg `AsyncConnection`."""
    return executor_async(connection) if isinstance(connection, psycopg.AsyncConnection) else None
