"""Connections for the transactions of jobs: opened when first asked for, kept while in use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from threading import BoundedSemaphore, Lock
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from jobqueue.client.context import current_attempt
from jobqueue.store import processed
from jobqueue.store.database import executor, executor_async, to_conninfo, worker_conninfo
from jobqueue.store.statement import run, run_async

log = logging.getLogger("jobqueue.worker")

# An unused connection is given up after so long.
IDLE_SECONDS = 60.0
# While there is no server, the pools ask for it so often.
TRY_SECONDS = 1.0

WAITING = "transaction: no connection to the database yet; the job waits for one"


class TransactionPools:
    """One pool for threads and one for the event loop, each made when first asked for.

    Jobs wait for their turn here, first come first served, and for the database too: however long
    it is gone, they go on a second after it is back. Left to itself a pool would wait for as long
    again, and after five minutes forget those who wait.

    most: connections of each at most; further jobs wait for one.
    pooled: a pooler may give each transaction another session, so nothing is left in any.
    """

    def __init__(self, url: str | None, most: int, *, pooled: bool = False) -> None:
        self._url = url
        self._most = most
        self._pooled = pooled
        self._pool: ConnectionPool[psycopg.Connection[Any]] | None = None
        self._apool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] | None = None
        self._making = Lock()
        self._turns = BoundedSemaphore(most)
        self._aturns = asyncio.BoundedSemaphore(most)

    @contextmanager
    def connection(self) -> Generator[psycopg.Connection[Any]]:
        """Lend a connection in a transaction, committed at the end, rolled back on an error."""
        with self._making:
            if self._pool is None:
                self._pool = ConnectionPool(
                    **self._settings(),
                    configure=None if self._pooled else _configure,
                    # One that broke while nobody used it must not cost a job its attempt.
                    check=ConnectionPool.check_connection,
                    open=True,
                )
        with self._turn():
            connection = _taken(self._pool)
            try:
                # psycopg refuses a commit by hand in there, which would part id and effects.
                with connection, connection.transaction():
                    yield connection
            finally:
                self._pool.putconn(connection)

    @contextmanager
    def _turn(self) -> Generator[None]:
        while not self._turns.acquire(timeout=TRY_SECONDS):
            _checkpoint()
        try:
            yield
        finally:
            self._turns.release()

    @asynccontextmanager
    async def aconnection(self) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
        """Lend an asynchronous connection; as `connection`."""
        if self._apool is None:
            self._apool = AsyncConnectionPool(
                **self._settings(),
                configure=None if self._pooled else _aconfigure,
                check=AsyncConnectionPool.check_connection,
                open=False,
            )
        await self._apool.open()  # does nothing when it is open
        async with self._aturns:
            connection = await _ataken(self._apool)
            try:
                async with connection, connection.transaction():
                    yield connection
            finally:
                await self._apool.putconn(connection)

    async def close(self) -> None:
        """Close what is idle; what threads still use ends with the process."""
        if self._apool is not None:
            await self._apool.close(timeout=1.0)
        if self._pool is not None:
            self._pool.close(timeout=1.0)

    def _settings(self) -> dict[str, Any]:
        return {
            "conninfo": worker_conninfo(to_conninfo(self._url, application_name="jobqueue jobs")),
            "kwargs": {"prepare_threshold": None} if self._pooled else {},
            "min_size": 0,
            "max_size": self._most,
            "max_idle": IDLE_SECONDS,
            "timeout": TRY_SECONDS,
            "reconnect_timeout": TRY_SECONDS,
        }


def _configure(connection: psycopg.Connection[Any]) -> None:
    run(executor(connection), processed.session())
    connection.commit()


async def _aconfigure(connection: psycopg.AsyncConnection[Any]) -> None:
    await run_async(executor_async(connection), processed.session())
    await connection.commit()


def _taken(pool: ConnectionPool[psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """Take a connection from `pool`; as long as there is no server, go on asking for one."""
    told = False
    while True:
        try:
            return pool.getconn()
        except PoolTimeout:
            if not told:
                log.warning(WAITING)
            told = True
            _checkpoint()


def _checkpoint() -> None:
    """Let a job go that waits in a thread, once it is to stop. Raises JobStopped."""
    attempt = current_attempt.get(None)
    if attempt is not None:
        attempt.check()


async def _ataken(
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]],
) -> psycopg.AsyncConnection[Any]:
    told = False
    while True:
        try:
            return await pool.getconn()
        except PoolTimeout:
            if not told:
                log.warning(WAITING)
            told = True
