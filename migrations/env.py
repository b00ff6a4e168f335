"""Alembic's environment: one transaction, one advisory lock, our own version table.

`jobqueue migrate` is the usual way in. The lock makes any number of processes safe to start it at
once: the second waits, then finds nothing to do.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, text

from jobqueue.store.migrations import LOCK_TIMEOUT

# Any constant serves, as long as every release uses the same one.
MIGRATION_LOCK = 0x6A6F6271


def run_offline() -> None:
    """Print the SQL for a database administrator to read and run."""
    context.configure(
        dialect_name="postgresql",
        version_table_schema="jobqueue",
        literal_binds=True,
    )
    with context.begin_transaction():
        prepare = (
            f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})",
            "CREATE SCHEMA IF NOT EXISTS jobqueue",
        )
        for statement in prepare:
            context.execute(statement)
        context.run_migrations()


def run_on(connection: Connection) -> None:
    """Migrate through `connection`, inside the transaction it is in."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS jobqueue"))
    # Whoever runs it tries again when it ran out (jobqueue.store.migrations).
    connection.execute(
        text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": LOCK_TIMEOUT}
    )
    context.configure(connection=connection, version_table_schema="jobqueue")
    context.run_migrations()


def run_online() -> None:
    """Migrate through the connection we were given, or one made from the configured URL."""
    given = context.config.attributes.get("connection")
    if given is not None:
        run_on(given)
        return
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "")
    with engine.begin() as connection:
        run_on(connection)
    engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
