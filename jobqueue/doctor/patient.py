"""The database that is examined, and the one way to ask it something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from jobqueue.core.errors import DatabaseUnavailable, one_line
from jobqueue.doctor.limits import Limits
from jobqueue.store.database import executor, to_conninfo
from jobqueue.store.statement import Statement, run, sql

Row = TypeVar("Row")

APPLICATION_NAME = "jobqueue doctor"


class CannotSee(Exception):
    """Raised by a check that may not see everything. remedy: what would let it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Patient:
    """Answers the questions of checks, each in a transaction of its own that writes nothing.

    url: as `jobqueue doctor` was given it.
    wall_clock: gives the seconds since 1970 by the clock of this machine.
    """

    def __init__(
        self, url: str | None, limits: Limits, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self.limits = limits
        self.wall_clock = wall_clock
        self._conninfo = to_conninfo(url, application_name=APPLICATION_NAME)
        self._connection: psycopg.Connection[Any] | None = None

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection; its owner closes it. Raises DatabaseUnavailable."""
        try:
            return psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(
                f"database: no connection ({one_line(error)}); check that the server runs and the "
                "URL names it"
            ) from error

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The connection that questions go through; another one when it was lost."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        return self._connection

    def run(self, statement: Statement[Row]) -> list[Row]:
        """Ask, within the limit of time. Raises psycopg.Error and DatabaseUnavailable."""
        connection = self.connection
        execute = executor(connection)
        # Set for one transaction only: behind a pooler the session is somebody else's next.
        with connection.transaction(force_rollback=True):
            timeout = f"{max(1, round(self.limits.statement_seconds * 1000))}ms"
            run(execute, Statement(sql("doctor/session"), {"timeout": timeout}, tuple))
            return run(execute, statement)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
