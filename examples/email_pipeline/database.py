"""The demo's own PostgreSQL: an embedded server, and in it a fresh database for each run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from examples.email_pipeline.processes import DemoError
from jobqueue.testing import embedded

NAME = "demo"

USERS = """
    CREATE TABLE users (
        id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name  text NOT NULL,
        email text NOT NULL UNIQUE
    )
"""


@contextmanager
def fresh(folder: Path) -> Generator[str]:
    """Give the URL of a new, migrated database; its data stays in `folder` until the next run.

    The server runs only inside the block, unless it ran before.
    """
    ran_before = embedded.running(folder)
    server = embedded.start(folder)
    try:
        recreate(server)
        url = make_conninfo(server, dbname=NAME)
        migrate(url)
        with psycopg.connect(url) as connection:
            connection.execute(USERS)
        yield url
    finally:
        if not ran_before:
            embedded.stop(folder)


def recreate(server: str) -> None:
    """Drop the last run's database and make a new one. Raises DemoError if it is in use."""
    with psycopg.connect(server, autocommit=True) as connection:
        try:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME}")
        except psycopg.errors.ObjectInUse as error:
            raise DemoError(
                f"database {NAME!r}: another demo or its worker still uses it; end that first"
            ) from error
        connection.execute(f"CREATE DATABASE {NAME}")


def migrate(url: str) -> None:
    """Run `jobqueue migrate`, as a deployment would."""
    done = subprocess.run(
        [sys.executable, "-m", "jobqueue", "migrate"],
        env=os.environ | {"JOBQUEUE_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoError(f"jobqueue migrate: exit code {done.returncode}: {done.stderr.strip()}")
