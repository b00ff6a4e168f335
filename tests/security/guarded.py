"""A PostgreSQL server that asks for a password."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from jobqueue.core.errors import ConfigurationError
from jobqueue.store.database import to_conninfo
from jobqueue.testing import embedded
from tests.conftest import POSTGRES

# With what a URL, a connection string and a password file give a meaning to, and each escapes its
# own way; and a piece that is found whatever became of the rest.
PASSWORD = "p@ss:w\\rd/%3F 'hunter2-of-the-database' \"ü"
TELLTALE = "hunter2-of-the-database"
OWNER = "queue owner"


@dataclass(frozen=True, slots=True)
class Guarded:
    """The server. trusted: who needs no password, for looking in from outside."""

    host: str
    trusted: str

    def url(self, **more: str) -> str:
        """Give what names its database, without the password."""
        return make_conninfo("", host=self.host, user=OWNER, dbname="queue", **more)

    def pass_line(self, *, password: str = PASSWORD) -> str:
        """Give the line of a password file."""
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        return f"*:*:queue:{OWNER}:{escaped}\n"


@contextmanager
def guarded() -> Generator[Guarded]:
    """Start the server, and end it."""
    with tempfile.TemporaryDirectory(prefix="jobqueue-test-") as folder:
        data = Path(folder) / "postgres"
        try:
            trusted = embedded.start(data, version=POSTGRES)
        except ConfigurationError as error:
            pytest.skip(f"no server of our own that could ask for a password: {error}")
        try:
            _ask_for_passwords(trusted, data)
            host = str(conninfo_to_dict(trusted)["host"])
            queue = make_conninfo(to_conninfo(trusted), dbname="queue")
            yield Guarded(host, queue)
        finally:
            embedded.stop(data)


def _ask_for_passwords(trusted: str, data: Path) -> None:
    with psycopg.connect(to_conninfo(trusted), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here outlives the test
        connection.execute("SET password_encryption = 'scram-sha-256'")
        literal = sql.Literal(PASSWORD)
        create = sql.SQL('CREATE ROLE "queue owner" LOGIN PASSWORD {}').format(literal)
        connection.execute(create)
        connection.execute('CREATE DATABASE queue OWNER "queue owner"')
        rules = data / "pg_hba.conf"
        # In place: the file stays its owner's, who may be another than we are.
        with rules.open("w") as file:
            file.write("local all postgres trust\nlocal all all scram-sha-256\n")
        connection.execute("SELECT pg_reload_conf()")
