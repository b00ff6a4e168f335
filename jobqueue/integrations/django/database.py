"""Django's database settings as libpq reads them."""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from psycopg import pq
from psycopg.conninfo import make_conninfo


def conninfo(alias: str = "default") -> str:
    """Give the connection string of a database in DATABASES.

    Raises ImproperlyConfigured if it is not PostgreSQL.
    """
    connection = cast("Any", connections[alias])
    if connection.vendor != "postgresql":
        raise ImproperlyConfigured(
            f"database {alias!r}: is {connection.vendor}, not PostgreSQL; "
            "name the one for the job queue with --database"
        )
    settings: dict[str, Any] = connection.settings_dict
    given = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
        **{name: settings["OPTIONS"][name] for name in LIBPQ_OPTIONS & settings["OPTIONS"].keys()},
    }
    return make_conninfo("", **{name: value for name, value in given.items() if value})


LIBPQ_OPTIONS = frozenset(one.keyword.decode() for one in pq.Conninfo.get_defaults())
"""Those of Django's OPTIONS that are libpq's as well; the others are psycopg's or Django's own."""
