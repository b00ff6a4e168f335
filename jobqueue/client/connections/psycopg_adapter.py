"""psycopg 3: `Connection` and `AsyncConnection`."""

from __future__ import annotations

from typing import Any, cast

import psycopg

from jobqueue.store.database import executor, executor_async
from jobqueue.store.statement import Execute, ExecuteAsync


def adapt(connection: object) -> Execute | None:
    """Execute on a psycopg `Connection`."""
    if not isinstance(connection, psycopg.Connection):
        return None
    return executor(cast("psycopg.Connection[Any]", connection))


def adapt_async(connection: object) -> ExecuteAsync | None:
    """Execute on a psycopg `AsyncConnection`."""
    if not isinstance(connection, psycopg.AsyncConnection):
        return None
    return executor_async(cast("psycopg.AsyncConnection[Any]", connection))
