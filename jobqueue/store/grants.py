"""Rights of the database roles that use the queue."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql as compose

from jobqueue.store.statement import sql


class Purpose(StrEnum):
    """What a role is for."""

    ENQUEUE = "enqueue"
    READ = "read"
    WORKER = "worker"


def grants(role: str, purpose: Purpose) -> compose.Composed:
    """Give the GRANTs of a role, its name quoted."""
    # The one place where SQL is composed: a role's name cannot be a parameter.
    text = cast("LiteralString", sql(f"grants/{purpose}"))
    return compose.SQL(text).format(role=compose.Identifier(role))


def grant(connection: psycopg.Connection[Any], role: str, purpose: Purpose) -> None:
    """Run the GRANTs in one transaction. Raises psycopg.errors.UndefinedObject: no such role."""
    with connection.transaction():
        connection.execute(grants(role, purpose))
