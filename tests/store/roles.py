"""Database roles for tests: made, given their rights, dropped again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose, grant


@contextmanager
def role(url: str, purpose: Purpose | None, *, prefix: str = "r") -> Iterator[str]:
    """Make a role that may log in and has the rights of `purpose`, and give its name."""
    name = f"{prefix}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(to_conninfo(url), autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        try:
            if purpose is not None:
                grant(owner, name, purpose)
            yield name
        finally:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def url_of(url: str, name: str) -> str:
    """Give what connects to the same database as role `name`."""
    return make_conninfo(to_conninfo(url), user=name)


@contextmanager
def connected_as(
    url: str, purpose: Purpose | None, *, prefix: str = "r"
) -> Iterator[psycopg.Connection]:
    """Connect, each statement by itself, as a new role with the rights of `purpose`."""
    with (
        role(url, purpose, prefix=prefix) as name,
        psycopg.connect(url_of(url, name), autocommit=True) as it,
    ):
        yield it
