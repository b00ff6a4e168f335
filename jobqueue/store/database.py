"""Database URLs, connections, and whether the schema there is one we can work with."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row

from jobqueue.core.errors import (
    DatabaseUrlError,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
)
from jobqueue.store.statement import (
    Execute,
    ExecuteAsync,
    Params,
    Statement,
    first,
    run,
    run_async,
    sql,
)

SCHEMA_VERSION = 7
"""The schema version this release was built for."""

SCHEMA_MISSING = "schema 'jobqueue': not in this database; run `jobqueue migrate` first"

URL_VARIABLE = "JOBQUEUE_DATABASE_URL"

HOW_TO_GET_A_DATABASE = (
    f"set {URL_VARIABLE} (or pass --database-url) to a PostgreSQL you have, as "
    "postgresql://user:password@host:5432/name, or start one for this folder with `jobqueue dev`"
)


def to_conninfo(url: str | None, *, application_name: str = "jobqueue") -> str:
    """Give what libpq connects with.

    url: `postgresql://…`, also with SQLAlchemy's `+driver`, or a libpq `key=value` string.
    Raises DatabaseUrlError when there is none or it is malformed; the password is never shown.
    """
    if not url:
        raise DatabaseUrlError(f"no database URL: none is set; {HOW_TO_GET_A_DATABASE}")
    # At its start only: a value of a `key=value` string may hold an address.
    if found := re.match(r"([A-Za-z][A-Za-z0-9.-]*)(\+[A-Za-z0-9_]+)?://", url):
        kind = found[1]
        if kind not in {"postgresql", "postgres"}:
            raise DatabaseUrlError(
                f"database URL {kind}://…: not a PostgreSQL URL; {HOW_TO_GET_A_DATABASE}"
            )
        url = f"{kind}://{url[found.end() :]}"
    try:
        given = conninfo_to_dict(url)
    except UnicodeEncodeError:
        raise _malformed("it is not text in UTF-8") from None
    except psycopg.ProgrammingError as error:
        raise _malformed(_without_secrets(str(error).strip().partition("\n")[0])) from None
    if "@" in str(given.get("host", "")):
        raise _malformed("the host holds '@'; write an '@' in the password as %40")
    for name in NUMBERS & given.keys():
        if not all(one.strip().isdigit() for one in str(given[name]).split(",") if one):
            raise _malformed(f"{name} is not a number")
    # Not the environment's choice: what we send may hold any character.
    given["client_encoding"] = "UTF8"
    given.setdefault("application_name", application_name)
    # TCP alone takes minutes to notice a peer that is gone.
    if not os.environ.get("PGCONNECT_TIMEOUT"):
        given.setdefault("connect_timeout", 10)
    return make_conninfo("", **{name: value for name, value in given.items() if value is not None})


def worker_conninfo(conninfo: str) -> str:
    """Give `conninfo` with limits that make a vanished server felt in seconds, where not set."""
    given = conninfo_to_dict(conninfo)
    for name, value in (
        ("target_session_attrs", "read-write"),
        ("keepalives_idle", 10),
        ("keepalives_interval", 5),
        ("keepalives_count", 3),
        ("tcp_user_timeout", 20_000),
    ):
        if name != "target_session_attrs" or not os.environ.get("PGTARGETSESSIONATTRS"):
            given.setdefault(name, value)
    return make_conninfo("", **{name: value for name, value in given.items() if value is not None})


def session_settings(lock_timeout: str, idle_timeout: str = "0") -> Statement[Any]:
    """Set up a worker's session. Times are as PostgreSQL reads them, `5s`; `0` for no limit."""
    params = {"lock_timeout": lock_timeout, "idle_timeout": idle_timeout}
    return Statement(sql("schema/session"), params, first)


NUMBERS = frozenset({"port", "connect_timeout"})
"""Parts of a URL that libpq takes as they are and fails on later."""


def _malformed(reason: str) -> DatabaseUrlError:
    return DatabaseUrlError(f"database URL: malformed ({reason}); {HOW_TO_GET_A_DATABASE}")


def _without_secrets(reason: str) -> str:
    """Take what libpq quotes out of its message: it may be any part of the URL."""
    said, quoted, _ = reason.partition('"')
    return f'{said}"…"' if quoted else said


def executor(connection: psycopg.Connection[Any]) -> Execute:
    """Give the function that executes text on a psycopg connection."""

    def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        # A cursor of our own kind: the connection's row and cursor factories are its owner's.
        with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
            cursor.execute(text.encode(), params)
            if connection.pgconn.pipeline_status:
                with connection.pipeline():  # what ends here has its answers
                    pass
            return cursor.fetchall() if cursor.pgresult and cursor.pgresult.nfields else ()

    return execute


def executor_async(connection: psycopg.AsyncConnection[Any]) -> ExecuteAsync:
    """Give the function that executes text on a psycopg async connection."""

    async def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        async with psycopg.AsyncCursor(connection, row_factory=tuple_row) as cursor:
            await cursor.execute(text.encode(), params)
            if connection.pgconn.pipeline_status:
                async with connection.pipeline():  # what ends here has its answers
                    pass
            return await cursor.fetchall() if cursor.pgresult and cursor.pgresult.nfields else ()

    return execute


def _schema_version() -> Statement[tuple[int, int]]:
    return Statement(sql("schema/version"), {}, lambda row: (row[0], row[1]))


def _judge_schema(rows: Sequence[tuple[int, int]]) -> None:
    if not rows:
        raise SchemaMissing(SCHEMA_MISSING)
    version, oldest_supported = rows[0]
    if version < SCHEMA_VERSION:
        raise SchemaTooOld(
            f"schema version {version}: older than {SCHEMA_VERSION}, which this release needs; "
            "run `jobqueue migrate`"
        )
    if oldest_supported > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"schema version {version}: supports releases built for {oldest_supported} or later, "
            f"this one is for {SCHEMA_VERSION}; upgrade the jobqueue package "
            "(pip install --upgrade jobqueue)"
        )


def check_schema(execute: Execute) -> None:
    """Return if this release can work with the database's schema.

    Raises SchemaMissing, SchemaTooOld or SchemaTooNew, each with the command that mends it.
    """
    try:
        rows = run(execute, _schema_version())
    except psycopg.errors.UndefinedTable:
        rows = []
    _judge_schema(rows)


async def check_schema_async(execute: ExecuteAsync) -> None:
    """Return if this release can work with the database's schema. Raises as `check_schema`."""
    try:
        rows = await run_async(execute, _schema_version())
    except psycopg.errors.UndefinedTable:
        rows = []
    _judge_schema(rows)
