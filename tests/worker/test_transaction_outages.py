"""The database goes away and comes back while jobs wait for a connection of the worker's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from jobqueue.store.database import to_conninfo
from jobqueue.worker import transaction_pools as worker_pools
from jobqueue.worker.transaction_pools import TransactionPools
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play

# Left to itself a pool doubles its pauses: after so many refusals it would wait for minutes, and
# for a quarter of one when so many connections turn out to be broken.
REFUSALS = 8
BROKEN = 6
GOES_ON_SECONDS = 10.0


class Door:
    """A way to the server that is shut at first: who comes is sent away, and counted."""

    def __init__(self, url: str) -> None:
        self._server = conninfo_to_dict(to_conninfo(url))
        self.refused = 0
        self.open = False

    @asynccontextmanager
    async def ajar(self) -> AsyncGenerator[str]:
        """Give the URL of the door."""
        listener = await asyncio.start_server(self._came, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            given = {**self._server, "host": "127.0.0.1", "port": port, "gssencmode": "disable"}
            yield make_conninfo("", **{name: one for name, one in given.items() if one is not None})

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(writer.close)
            if not self.open:
                self.refused += 1
                return
            inner_reader, inner_writer = await self._inside()
            stack.callback(inner_writer.close)
            ways = [_pass_on(reader, inner_writer), _pass_on(inner_reader, writer)]
            passing = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for way in passing:
                way.cancel()

    async def _inside(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = str(self._server["host"]), int(self._server.get("port") or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(Path(host) / f".s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


def use(pools: TransactionPools) -> int:
    with pools.connection() as connection:
        return _number(connection.execute("SELECT 1").fetchone())


async def ause(pools: TransactionPools) -> int:
    async with pools.aconnection() as connection:
        return _number(await (await connection.execute("SELECT 1")).fetchone())


def use_together(pools: TransactionPools, together: Barrier) -> None:
    with pools.connection():
        together.wait(20)


async def ause_together(pools: TransactionPools, together: Barrier) -> None:
    async with pools.aconnection():
        await asyncio.to_thread(together.wait, 20)


def _number(row: tuple[Any, ...] | None) -> int:
    assert row is not None
    return row[0]


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_jobs_that_wait_for_a_connection_go_on_soon_after_a_long_outage(
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    monkeypatch.setattr(worker_pools, "TRY_SECONDS", 0.05)
    door = Door(books.url)

    async def scenario() -> list[int]:
        async with door.ajar() as url:
            pools = TransactionPools(url, 2)
            try:
                # More than there are connections: the others wait for their turn.
                ways = [
                    ause(pools) if kind == "coroutine" else asyncio.to_thread(use, pools)
                    for _ in range(5)
                ]
                waiting = asyncio.gather(*ways)
                await auntil(lambda: door.refused >= REFUSALS, what="it goes on asking")
                door.open = True
                return await asyncio.wait_for(waiting, GOES_ON_SECONDS)
            finally:
                await pools.close()

    assert play(scenario()) == [1] * 5
    assert "no connection to the database yet" in caplog.text


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_a_job_goes_on_soon_though_every_connection_at_hand_is_broken(
    books: Books, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(worker_pools, "TRY_SECONDS", 0.05)
    together = Barrier(BROKEN)

    async def scenario() -> int:
        pools = TransactionPools(books.url, BROKEN)
        try:
            if kind == "coroutine":
                await asyncio.gather(*(ause_together(pools, together) for _ in range(BROKEN)))
            else:
                ways = (asyncio.to_thread(use_together, pools, together) for _ in range(BROKEN))
                await asyncio.gather(*ways)
            assert books.cut("jobqueue jobs") == BROKEN
            use_one = ause(pools) if kind == "coroutine" else asyncio.to_thread(use, pools)
            return await asyncio.wait_for(use_one, GOES_ON_SECONDS)
        finally:
            await pools.close()

    assert play(scenario()) == 1
