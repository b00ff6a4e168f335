"""Databases for peers: fresh and empty, each peer makes its own schema."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks import database


class Server(database.Server):
    """A PostgreSQL server in which databases may be created."""

    @contextmanager
    def empty(self, name: str) -> Generator[str]:
        """Have an empty database until the end of the block. Gives its URL."""
        with self._database(f"{self._prefix}_{name}", "template1") as conninfo:
            yield to_url(conninfo)


def to_url(conninfo: str) -> str:
    """Write a conninfo as the plainest URL, for drivers that know few parameters."""
    given = conninfo_to_dict(conninfo)
    host, port = str(given.get("host", "localhost")), given.get("port")
    user, password = (quote(str(given.get(name) or ""), safe="") for name in ("user", "password"))
    login = f"{user}:{password}" if password else user
    path = quote(str(given["dbname"]), safe="")
    if not host.startswith("/"):
        return f"postgresql://{login}@{host}:{port or 5432}/{path}"
    # The folder of a Unix socket does not fit before the path.
    where = {"host": host} | ({"port": str(port)} if port else {})
    return f"postgresql://{login}@/{path}?{urlencode(where)}"


def settle(connection: psycopg.Connection[Any]) -> None:
    """Leave the database as autovacuum and the checkpointer would, a minute later."""
    connection.execute("VACUUM (ANALYZE)")
    connection.execute("CHECKPOINT")
