"""The store's tests share one database, emptied before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from jobqueue.store.database import session_settings, to_conninfo
from tests.conftest import emptied
from tests.store.steps import do


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    """URL of a migrated database without a single row."""
    return emptied(shared_database_url)


@pytest.fixture
def session(database_url: str) -> Iterator[psycopg.Connection]:
    """A session as a worker has it: each statement commits, plans are generic."""
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as it:
        do(it, session_settings("5s"))
        yield it


@pytest.fixture
def other(database_url: str) -> Iterator[psycopg.Connection]:
    """A second session, of another worker or of the leader."""
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as it:
        do(it, session_settings("5s"))
        yield it
