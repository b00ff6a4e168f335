"""The face of asyncpg, whose transactions are begun by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.client.faces import Async


class Asyncpg(Async):
    """asyncpg: as it is, from a pool, or taught to treat types in its own way."""

    def __init__(self, name: str, *, pooled: bool = False, codecs: bool = False) -> None:
        super().__init__(name)
        self.pooled = pooled
        self.codecs = codecs
        self.transactions: dict[int, Any] = {}

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Any]:
        import asyncpg

        if self.pooled:
            async with (
                asyncpg.create_pool(url, min_size=1, max_size=1) as pool,
                pool.acquire() as connection,
                self._in_transaction(connection),
            ):
                yield connection
            return
        connection = await asyncpg.connect(url)
        try:
            if self.codecs:
                await teach(connection)
            async with self._in_transaction(connection):
                yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def _in_transaction(self, connection: Any) -> AsyncIterator[None]:
        await self._begin(connection)
        try:
            yield
        finally:
            transaction = self.transactions.pop(id(connection))
            if not connection.is_closed():
                await transaction.rollback()

    async def _begin(self, connection: Any) -> None:
        transaction = self.transactions[id(connection)] = connection.transaction()
        await transaction.start()

    async def commit(self, connection: Any) -> None:
        await self.transactions[id(connection)].commit()
        await self._begin(connection)

    async def rollback(self, connection: Any) -> None:
        await self.transactions[id(connection)].rollback()
        await self._begin(connection)


async def teach(connection: Any) -> None:
    """Set codecs as applications do: values that are neither text nor asyncpg's own."""
    for name in ("jsonb", "uuid", "timestamptz", "numeric", "interval"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: value["text"],
            decoder=lambda text: {"text": text},
            format="text",
        )
