"""One connection to the database that is made again when it breaks."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, TypeVar

import psycopg

from jobqueue.core.errors import DatabaseUnavailable, one_line
from jobqueue.store.database import (
    check_schema_async,
    executor_async,
    session_settings,
    to_conninfo,
    worker_conninfo,
)
from jobqueue.store.statement import ExecuteAsync, Statement, first, run_async, sql
from jobqueue.worker.containment import forked, hold_standard_descriptors

log = logging.getLogger("jobqueue.worker")

Row = TypeVar("Row")

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
# A lost lock is tried again at the next tick; a worker never waits long behind someone's DDL.
LOCK_TIMEOUT = "5s"
# For what has come in to be read; it is waited for without psycopg, which looks ten times a second.
READ_SECONDS = 0.005
# Of executions, after which psycopg prepares a statement.
PREPARE_THRESHOLD = 5


class Link:
    """A connection in autocommit mode that reconnects when next used after it broke.

    Statements run one at a time, in the order they were asked for.

    losses: how many connections were found to be broken so far.

    idle_timeout: after which the server ends a session that asks for nothing, as PostgreSQL reads
        it; `0` for never.
    pooled: a pooler may give each transaction another session, so nothing is left in any: neither
        settings, idle_timeout among them, nor prepared statements.
    """

    def __init__(
        self,
        url: str | None,
        name: str,
        *,
        idle_timeout: str = "0",
        pooled: bool = False,
    ) -> None:
        self._conninfo = worker_conninfo(to_conninfo(url, application_name=f"jobqueue {name}"))
        self._idle_timeout = idle_timeout
        self._pooled = pooled
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._execute: ExecuteAsync | None = None
        self._turn = asyncio.Lock()
        self.losses = 0
        self._stirred = asyncio.Event()

    async def run(self, statement: Statement[Row]) -> list[Row]:
        """Execute `statement`.

        Raises psycopg.OperationalError (or another psycopg.Error); the next call connects anew.
        """
        async with self._turn:
            execute = self._execute or await self._set_up()
            try:
                return await run_async(execute, statement)
            except psycopg.errors.ReadOnlySqlTransaction:
                # A server that was demoted: connect anew, perhaps to another.
                self.losses += 1
                await self.close()
                raise
            except BaseException:
                # Failed or cancelled in the middle of the protocol: that session is over.
                if self._connection is None or self._connection.closed or self._connection.broken:
                    self.losses += 1
                    self._connection = self._execute = None
                raise

    async def connection(self) -> psycopg.AsyncConnection[Any]:
        """Give the connection itself, for LISTEN."""
        async with self._turn:
            connection = await self._opened()
            if self._execute is None:
                await self._set_up()
            return connection

    async def heard(self, seconds: float) -> list[str]:
        """Wait so long for notifications, or until `stir`, and give their payloads.

        Raises psycopg.OperationalError when the connection is lost.
        """
        connection = await self.connection()
        payloads = [one.payload async for one in connection.notifies(timeout=0)]
        if payloads:
            return payloads
        loop = asyncio.get_running_loop()
        descriptor = connection.fileno()
        loop.add_reader(descriptor, self._stirred.set)
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            return []
        finally:
            loop.remove_reader(descriptor)
            self._stirred.clear()
        return [one.payload async for one in connection.notifies(timeout=READ_SECONDS)]

    def stir(self) -> None:
        """End the wait of `heard`."""
        self._stirred.set()

    async def reach(self) -> None:
        """Open a connection, if there is none; nothing is set in its session yet."""
        async with self._turn:
            await self._opened()

    async def server_process(self) -> int:
        """Give the number of the server's process that answers; nothing is set in its session yet.

        Raises psycopg.OperationalError, also when a connection that was open is lost.
        """
        async with self._turn:
            execute = executor_async(await self._opened())
            try:
                [number] = await run_async(
                    execute, Statement(sql("workers/server_process"), {}, first)
                )
            except BaseException:
                await self.close()
                raise
            return number

    @property
    def open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None and not self._connection.closed

    async def check_schema(self) -> None:
        """Return if this release can work with the database's schema. Raises SchemaError."""
        async with self._turn:
            await check_schema_async(self._execute or await self._set_up())

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection, self._execute = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _opened(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self.losses += self._connection is not None
            self._execute = None
            hold_standard_descriptors()
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, prepare_threshold=None
            )
            forked.watch_connection(self._connection)
        return self._connection

    async def _set_up(self) -> ExecuteAsync:
        connection = await self._opened()
        execute = executor_async(connection)
        if not self._pooled:
            try:
                await run_async(execute, session_settings(LOCK_TIMEOUT, self._idle_timeout))
            except BaseException:
                await self.close()
                raise
            connection.prepare_threshold = PREPARE_THRESHOLD
        self._execute = execute
        return execute


class Pauses:
    """Growing pauses between tries: 0.1 s, doubled each time, at most 1 s."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE_SECONDS

    def reset(self) -> None:
        """Start over, after a success."""
        self._next = FIRST_PAUSE_SECONDS

    def next_seconds(self) -> float:
        """Give the next pause."""
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE_SECONDS)
        return pause


async def first_contact(link: Link, limit_seconds: float) -> None:
    """Connect, waiting for a server that is not up yet.

    Raises DatabaseUnavailable when `limit_seconds` have passed without success.
    """
    pauses = Pauses()
    deadline = time.monotonic() + limit_seconds
    while True:
        try:
            await link.reach()
        except psycopg.OperationalError as error:
            reason = one_line(error)
            pause = pauses.next_seconds()
            if time.monotonic() + pause > deadline:
                raise DatabaseUnavailable(
                    f"database: no connection within {limit_seconds:g} s ({reason}); check that "
                    "the server runs and the URL names it"
                ) from error
            log.warning("database: no connection (%s); trying again in %.1f s", reason, pause)
            await asyncio.sleep(pause)
        else:
            return
