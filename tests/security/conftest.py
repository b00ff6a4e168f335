"""The security tests share one database, emptied before each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
import typer.main

from jobqueue.cli import main
from jobqueue.store.database import to_conninfo
from tests.cli.shell import Shell
from tests.conftest import emptied
from tests.security.guarded import Guarded, guarded
from tests.worker.books import Books


@pytest.fixture(scope="session")
def command_line() -> Any:
    """The command line, put together once; that takes longer than most commands do."""
    return typer.main.get_command(main.app)


@pytest.fixture(autouse=True)
def put_together(command_line: Any) -> Iterator[None]:
    with mock.patch.object(main, "app", command_line):
        yield


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    """URL of a migrated database without a single row."""
    return emptied(shared_database_url)


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the schema's owner; each statement commits."""
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as it:
        yield it


@pytest.fixture
def shell(tmp_path: Path, database_url: str) -> Shell:
    """A shell whose environment names the emptied database."""
    return Shell(tmp_path, database_url)


@pytest.fixture(scope="session")
def server() -> Iterator[Guarded]:
    """A server that asks for a password."""
    with guarded() as it:
        yield it


@pytest.fixture
def open_books(server: Guarded) -> Iterator[Books]:
    """Look into that server's database from outside; what is in it goes with the test."""
    it = Books(server.trusted)
    yield it
    it.rows("DROP SCHEMA IF EXISTS jobqueue CASCADE")
    it.close()
