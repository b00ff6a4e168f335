"""A server as in production: durable, and with settings that are the tests' to change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jobqueue.store.database import to_conninfo
from jobqueue.testing import embedded
from tests.conftest import POSTGRES, new_template
from tests.doctor.visit import Visit

# Read when the server starts.
SETTINGS = {"max_prepared_transactions": "5", "wal_level": "logical"}


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """URL of a server of the doctor's own tests."""
    with tempfile.TemporaryDirectory(prefix="jobqueue-doctor-") as folder:
        data = Path(folder) / "postgres"
        url = embedded.start(data, version=POSTGRES)
        with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
            for name, value in SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        embedded.stop(data)
        url = embedded.start(data, version=POSTGRES)
        yield url
        embedded.stop(data)


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """Name of a migrated database on that server."""
    return new_template(server_url)


@pytest.fixture
def visit(database_url: str) -> Iterator[Visit]:
    """A visit to the fresh database, in which the doctor has found nothing so far."""
    it = Visit(database_url)
    try:
        assert it.problems() == []
        yield it
    finally:
        it.close()
