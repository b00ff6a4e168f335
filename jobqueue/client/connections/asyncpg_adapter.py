"""asyncpg: `Connection`, also as a pool gives it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from jobqueue.client.connections.adapted import Adapted, AdaptedAsync, Loads
from jobqueue.store.jobs import COPY_COLUMNS
from jobqueue.store.statement import Params, numbered


def adapt(connection: object) -> Adapted | None:  # noqa: ARG001 - the shape of every adapter
    """Nothing: asyncpg is asynchronous only."""
    return None


def adapt_async(connection: object) -> AdaptedAsync | None:
    """Adapt an asyncpg connection."""
    if "asyncpg" not in sys.modules:
        return None
    import asyncpg  # noqa: PLC0415 - only if the application uses it
    from asyncpg.pool import PoolConnectionProxy  # noqa: PLC0415

    if not isinstance(connection, asyncpg.Connection | PoolConnectionProxy):
        return None
    used: Any = connection  # asyncpg is not typed

    async def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        query, names = numbered(text)
        rows = await used.fetch(query, *(params[name] for name in names))
        return [tuple(row) for row in rows]

    async def copy(loads: Loads) -> None:
        # In a transaction this is a savepoint: a bad row takes the others with it, and no more.
        async with used.transaction():
            for blocks in loads:
                await used.copy_to_table(
                    "jobs",
                    source=_source(blocks),
                    schema_name="jobqueue",
                    columns=list(COPY_COLUMNS),
                    encoding="utf8",
                )

    return AdaptedAsync(execute, copy)


async def _source(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block
