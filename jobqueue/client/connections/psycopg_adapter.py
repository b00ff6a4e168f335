"""psycopg 3: `Connection` and `AsyncConnection`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import psycopg

from jobqueue.client.connections.adapted import Adapted, AdaptedAsync
from jobqueue.store.database import executor, executor_async
from jobqueue.store.statement import sql


def adapt(connection: object) -> Adapted | None:
    """Adapt a psycopg `Connection`."""
    if not isinstance(connection, psycopg.Connection):
        return None
    used = cast("psycopg.Connection[Any]", connection)

    def copy(blocks: Iterable[bytes]) -> None:
        with psycopg.Cursor(used) as cursor, cursor.copy(sql("jobs/copy").encode()) as load:
            for block in blocks:
                load.write(block)

    # COPY cannot be part of a pipeline.
    return Adapted(executor(used), None if used.pgconn.pipeline_status else copy)


def adapt_async(connection: object) -> AdaptedAsync | None:
    """Adapt a psycopg `AsyncConnection`."""
    if not isinstance(connection, psycopg.AsyncConnection):
        return None
    used = cast("psycopg.AsyncConnection[Any]", connection)

    async def copy(blocks: Iterable[bytes]) -> None:
        async with (
            psycopg.AsyncCursor(used) as cursor,
            cursor.copy(sql("jobs/copy").encode()) as load,
        ):
            for block in blocks:
                await load.write(block)

    # COPY cannot be part of a pipeline.
    return AdaptedAsync(executor_async(used), None if used.pgconn.pipeline_status else copy)
