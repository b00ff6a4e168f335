"""A command's connection to the database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from jobqueue.store.database import check_schema, executor, to_conninfo
from jobqueue.store.statement import Execute


@contextmanager
def session(url: str | None) -> Generator[Execute]:
    """Connect, check the schema, and give what executes statements; each commits by itself.

    Raises DatabaseUrlError, SchemaError or psycopg.OperationalError.
    """
    with psycopg.connect(to_conninfo(url, application_name="jobqueue cli"), autocommit=True) as it:
        execute = executor(it)
        check_schema(execute)
        yield execute
