"""Every kind of connection a job can be enqueued through, behind one face for the tests.

The face is asynchronous. Where the connection is not, its calls simply do not wait.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import psycopg
import sqlalchemy
import sqlmodel
from psycopg.rows import dict_row
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from tests.client.asyncpg_face import Asyncpg
from tests.client.faces import (
    Django,
    Kind,
    Opened,
    Psycopg,
    PsycopgAsync,
    SQLAlchemy,
    SQLAlchemyAsync,
)


def _scoped(asyncio: ModuleType, engine: Any) -> Any:
    return asyncio.async_scoped_session(asyncio.async_sessionmaker(engine), lambda: "test")


SYNC_MADE: dict[str, Callable[[sqlalchemy.Engine], Any]] = {
    "Connection": lambda engine: engine.connect(),
    "Session": Session,
    "scoped_session": lambda engine: scoped_session(sessionmaker(engine)),
    "SQLModel": sqlmodel.Session,
}
ASYNC_MADE: dict[str, Callable[[ModuleType, Any], Any]] = {
    "AsyncConnection": lambda _, engine: engine.connect().start(),
    "AsyncSession": lambda asyncio, engine: asyncio.AsyncSession(engine),
    "async_scoped_session": _scoped,
}

KINDS: list[Kind] = [
    Psycopg("psycopg"),
    Psycopg("psycopg-dict_row", row_factory=dict_row),
    Psycopg("psycopg-ClientCursor", cursor_factory=psycopg.ClientCursor),
    PsycopgAsync("psycopg-async"),
    PsycopgAsync("psycopg-async-dict_row", row_factory=dict_row),
    *(SQLAlchemy(name, make, "psycopg") for name, make in SYNC_MADE.items()),
    SQLAlchemy("Connection-psycopg2", SYNC_MADE["Connection"], "psycopg2"),
    SQLAlchemy("Session-psycopg2", SYNC_MADE["Session"], "psycopg2"),
    *(SQLAlchemyAsync(name, make, "psycopg") for name, make in ASYNC_MADE.items()),
    *(SQLAlchemyAsync(f"{name}-asyncpg", make, "asyncpg") for name, make in ASYNC_MADE.items()),
    Asyncpg("asyncpg"),
    Asyncpg("asyncpg-pool", pooled=True),
    Asyncpg("asyncpg-codecs", codecs=True),
    Django("django", "default"),
    Django("django-other", "other"),
]
SYNC_KINDS = [kind for kind in KINDS if not kind.is_async]
ASYNC_KINDS = [kind for kind in KINDS if kind.is_async]

__all__ = ["ASYNC_KINDS", "KINDS", "SYNC_KINDS", "Kind", "Opened"]
