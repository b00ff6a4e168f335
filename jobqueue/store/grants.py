"""Rights of the database roles that use the queue."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql as compose

from jobqueue.core.errors import ConfigurationError
from jobqueue.store.statement import sql

LONGEST_ROLE = 63
PRIVILEGE_NOT_GRANTED = "01007"


class Purpose(StrEnum):
    """What a role is for."""

    ENQUEUE = "enqueue"
    READ = "read"
    WORKER = "worker"


def grants(role: str, purpose: Purpose) -> compose.Composed:
    """Give the GRANTs of a role, its name quoted."""
    if not 1 <= len(role.encode("utf-8", "surrogatepass")) <= LONGEST_ROLE or not _is_text(role):
        raise ConfigurationError(
            f"role {role!r}: not a name; use 1 to {LONGEST_ROLE} bytes of text"
        )
    # The one place where SQL is composed: a role's name cannot be a parameter.
    text = cast("LiteralString", sql(f"grants/{purpose}"))
    return compose.SQL(text).format(role=compose.Identifier(role))


def grant(connection: psycopg.Connection[Any], role: str, purpose: Purpose) -> None:
    """Run the GRANTs in one transaction: all of them, or none.

    Raises psycopg.errors.UndefinedObject: no such role; InsufficientPrivilege: not ours to give.
    """
    refused: list[str] = []

    def note(notice: psycopg.errors.Diagnostic) -> None:
        # Whoever holds a right that it may not hand on is only warned.
        if notice.sqlstate == PRIVILEGE_NOT_GRANTED:
            refused.append(notice.message_primary or "")

    connection.add_notice_handler(note)
    try:
        with connection.transaction():
            connection.execute(grants(role, purpose))
            if refused:
                raise psycopg.errors.InsufficientPrivilege(f"permission denied: {refused[0]}")
    finally:
        connection.remove_notice_handler(note)


def _is_text(role: str) -> bool:
    return "\x00" not in role and role.isprintable()
