"""Django's connections to the databases of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict


@contextmanager
def django_database(url: str, alias: str) -> Iterator[Any]:
    """Let Django know the database at `url` as `alias`, and give the connection it has for it."""
    import django
    from django import db
    from django.apps import apps
    from django.conf import settings

    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}})
    if not apps.ready:
        django.setup()
    where = conninfo_to_dict(url)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": where.pop("dbname"),
        "USER": where.pop("user", ""),
        "PASSWORD": where.pop("password", ""),
        "HOST": where.pop("host", ""),
        "PORT": where.pop("port", ""),
        "OPTIONS": where,
    }
    before = db.connections.settings.get(alias)
    db.connections.settings[alias] = db.connections.configure_settings(
        {"default": database, alias: database}
    )[alias]
    forget(alias)
    connection = db.connection if alias == "default" else db.connections[alias]
    # The tests have one face for all kinds, and that one is asynchronous.
    allowed = pytest.MonkeyPatch()
    allowed.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    try:
        yield connection
    finally:
        db.connections[alias].close()
        allowed.undo()
        forget(alias)
        db.connections.settings.pop(alias)
        if before is not None:
            db.connections.settings[alias] = before


def forget(alias: str) -> None:
    """Make Django connect anew."""
    from django import db

    if hasattr(db.connections._connections, alias):
        del db.connections[alias]
