"""psycopg 3: `Connection` and `AsyncConnection`."""

from __future__ import annotations

from typing import Any, cast

import psycopg

from jobqueue.client.connections.adapted import Adapted, AdaptedAsync, Loads
from jobqueue.store.database import executor, executor_async
from jobqueue.store.statement import sql


def adapt(connection: object) -> Adapted | None:
    """Adapt a psycopg `Connection`."""
    if not isinstance(connection, psycopg.Connection):
        return None
    used = cast("psycopg.Connection[Any]", connection)

    def copy(loads: Loads) -> None:
        # In a transaction this is a savepoint: a bad row takes the others with it, and no more.
        with used.transaction(), psycopg.Cursor(used) as cursor:
            for blocks in loads:
                with cursor.copy(sql("jobs/copy").encode()) as load:
                    for block in blocks:
                        load.write(block)

    # COPY cannot be part of a pipeline.
    return Adapted(executor(used), None if used.pgconn.pipeline_status else copy)


def adapt_async(connection: object) -> AdaptedAsync | None:
    """Adapt a psycopg `AsyncConnection`."""
    if not isinstance(connection, psycopg.AsyncConnection):
        return None
    used = cast("psycopg.AsyncConnection[Any]", connection)

    async def copy(loads: Loads) -> None:
        async with used.transaction(), psycopg.AsyncCursor(used) as cursor:
            for blocks in loads:
                async with cursor.copy(sql("jobs/copy").encode()) as load:
                    for block in blocks:
                        await load.write(block)

    # COPY cannot be part of a pipeline.
    return AdaptedAsync(executor_async(used), None if used.pgconn.pipeline_status else copy)
