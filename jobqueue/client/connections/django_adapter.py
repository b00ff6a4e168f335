"""Django: `django.db.connection`, and `connections["another"]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from jobqueue.client.connections import psycopg_adapter
from jobqueue.client.connections.adapted import Adapted, AdaptedAsync, Loads
from jobqueue.core.errors import UnsupportedConnection
from jobqueue.store.statement import Params


def adapt(connection: object) -> Adapted | None:
    """Adapt a Django database connection; jobs are part of its `atomic()` block."""
    if "django.db" not in sys.modules:
        return None
    from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415 - as used
    from django.utils.connection import ConnectionProxy  # noqa: PLC0415

    if not isinstance(connection, BaseDatabaseWrapper | ConnectionProxy):
        return None
    used: Any = connection
    if used.vendor != "postgresql":
        raise UnsupportedConnection(
            f"Django connection {used.alias!r}: is to {used.vendor}, not PostgreSQL; "
            "enqueue through the database that has the schema 'jobqueue'"
        )

    def execute(text: str, params: Params) -> Sequence[tuple[Any, ...]]:
        with used.cursor() as cursor:
            cursor.execute(text, dict(params))
            return cursor.fetchall() if cursor.description else ()

    used.ensure_connection()
    driver = psycopg_adapter.adapt(used.connection)

    def copy(loads: Loads) -> None:
        if driver is not None and driver.copy is not None:
            driver.copy(loads)

    return Adapted(execute, copy if driver else None)


def adapt_async(connection: object) -> AdaptedAsync | None:  # noqa: ARG001 - as every adapter
    """Nothing: Django's transactions are synchronous; use `sync_to_async` around `enqueue`."""
    return None
