"""Databases to measure in: each measure gets a fresh one, copied from a migrated template."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from jobqueue.store import migrations
from jobqueue.store.database import to_conninfo
from jobqueue.testing import embedded

# What decides how fast a commit is; written down with every result.
SERVER_SETTINGS = (
    "fsync",
    "synchronous_commit",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
)
# Three for each of fifty idle workers, and some.
CONNECTIONS = 250


@contextmanager
def embedded_server(folder: Path) -> Generator[str]:
    """Run a PostgreSQL 18 of its own in `folder`, deleted afterwards. Gives its URL.

    Its settings are the defaults, but for the number of connections. One that runs there already
    is used and left running: somebody else started it.
    """
    if embedded.running(folder):
        yield embedded.start(folder)
        return
    try:
        with psycopg.connect(embedded.start(folder, version=18), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET max_connections = {CONNECTIONS}".encode())
        embedded.stop(folder)
        yield embedded.start(folder)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A PostgreSQL server in which databases may be created."""

    def __init__(self, url: str) -> None:
        self._conninfo = to_conninfo(url, application_name="jobqueue benchmarks")
        self._prefix = f"jobqueue_bench_{os.getpid()}"
        self._template = f"{self._prefix}_template"
        self._filled: set[str] = set()
        self._templates = ExitStack()

    @contextmanager
    def template(self) -> Generator[None]:
        """Have a migrated database to copy from, until the end of the block."""
        with self._templates, self._database(self._template, "template1") as conninfo:
            migrations.upgrade(conninfo)
            yield

    @contextmanager
    def fresh(self, name: str) -> Generator[str]:
        """Have a migrated, empty database until the end of the block. Gives its URL."""
        with self._database(f"{self._prefix}_{name}", self._template) as conninfo:
            yield conninfo

    @contextmanager
    def filled(self, name: str, fill: Callable[[str], None]) -> Generator[str]:
        """Have a database as `fill` leaves it, until the end of the block. Gives its URL.

        fill: given the URL of a migrated, empty database. Done once; later calls get a copy.
        """
        template = f"{self._prefix}_{name}_filled"
        if name not in self._filled:
            fill(self._templates.enter_context(self._database(template, self._template)))
            self._filled.add(name)
        with self._database(f"{self._prefix}_{name}", template, copy_files=True) as conninfo:
            yield conninfo

    def describe(self) -> tuple[str, dict[str, str]]:
        """Give the server's version and the settings that matter here."""
        with psycopg.connect(self._conninfo) as connection:
            settings = connection.execute(
                "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS one (name)",
                [list(SERVER_SETTINGS)],
            ).fetchall()
            return connection.info.parameter_status("server_version") or "unknown", dict(settings)

    @contextmanager
    def _database(self, name: str, template: str, *, copy_files: bool = False) -> Generator[str]:
        """Have a copy of a database. copy_files: the quick way for a large one, by checkpoints."""
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
            sql.Identifier(name),
            sql.Identifier(template),
            sql.SQL("FILE_COPY" if copy_files else "WAL_LOG"),
        )
        self._command(command)
        try:
            yield make_conninfo(self._conninfo, dbname=name)
        finally:
            # Dropping also writes a checkpoint: each measure starts from the same place.
            self._command(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _command(self, command: sql.Composed) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(command)


def single(connection: psycopg.Connection[Any], query: str) -> Any:  # noqa: ANN401 - a column is whatever its query says
    """Give the only value of the only row of `query`."""
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]
