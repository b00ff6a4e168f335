"""Running Alembic on the migrations that travel with this package."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alembic.command
import psycopg
from alembic import context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from jobqueue.core.errors import SchemaBusy
from jobqueue.store.database import to_conninfo
from jobqueue.store.statement import sql


def directory() -> Path:
    """Give the folder of the migrations: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def run_script(name: str) -> None:
    """Run `sql/<name>` as part of the migration that calls this; printed when offline."""
    script = (directory() / "sql" / name).read_text(encoding="utf-8")
    if context.is_offline_mode():
        op.get_context().impl.static_output(script)
    else:
        _run_script(op.get_bind(), script)


def _run_script(connection: Connection, script: str) -> None:
    """Run several statements as they stand: no parameters, colons and percent signs their own."""
    if connection.dialect.driver == "asyncpg":
        # Through SQLAlchemy it prepares everything, and prepares one statement only.
        driver: Any = connection.connection.dbapi_connection

        def run_whole(raw: Any) -> Any:  # noqa: ANN401 - asyncpg is not typed
            return raw.execute(script)

        driver.run_async(run_whole)
    else:
        connection.exec_driver_sql(script, execution_options={"no_parameters": True})


def _run(connection: Connection, name: str, **params: object) -> Any:  # noqa: ANN401 - a column
    """Run one statement through whatever driver there is; give the first column, if any."""
    statement = re.sub(r"%\((\w+)\)s", r":\1", sql(name))
    result = connection.execute(text(statement), params)
    return result.scalar() if result.returns_rows else None


# Well below deadlock_timeout: rather than break a transaction that is open meanwhile, try again.
LOCK_TIMEOUT = "200ms"
LOCK_NOT_AVAILABLE = "55P03"
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Position:
    """Which revision a database is at, and the newest this package has. None: no schema yet."""

    current: str | None
    newest: str
    pending: list[str]

    @property
    def behind(self) -> bool:
        """Whether migrations wait to be run."""
        return bool(self.pending)


def position(url: str | None) -> Position:
    """Compare the database at `url` with this package.

    Raises DatabaseUrlError, or SQLAlchemy's OperationalError when the server is not reached.
    """
    with _connection(url) as connection:
        found = MigrationContext.configure(
            connection, opts={"version_table_schema": "jobqueue"}
        ).get_current_revision()
    newest = ScriptDirectory.from_config(_config()).get_current_head() or ""
    return Position(found, newest, [script.revision for script in _pending(found)])


def upgrade(url: str | None, revision: str = "head") -> None:
    """Migrate up to `revision`, in one transaction; safe to start from many processes at once."""
    _persistently(url, alembic.command.upgrade, revision)


def upgrade_within(connection: Connection) -> None:
    """Migrate up to date inside another Alembic run, on its connection and in its transaction.

    Alembic has one context at a time, so its own version bookkeeping is done here by hand.
    """
    if context.is_offline_mode():
        _print_steps()
        return
    _run(connection, "schema/lock")
    _run_script(connection, sql("schema/version_table"))
    found = _run(connection, "schema/revision")
    for script in _pending(found):
        _step_persistently(connection, script)


def _step_persistently(connection: Connection, script: Script) -> None:
    """Run one migration in a savepoint, again while others hold a table it needs to itself.

    A lock it waits for is one that everybody else then waits for too, so it waits for none.
    Raises SchemaBusy after a minute.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        before = _run(connection, "schema/lock_timeout", limit=LOCK_TIMEOUT)
        try:
            with connection.begin_nested():
                script.module.upgrade()
                _run(connection, "schema/set_revision", revision=script.revision)
        except DBAPIError as error:
            _give_up_or_pause(error, deadline)
        else:
            return
        finally:
            _run(connection, "schema/lock_timeout", limit=before)


def _give_up_or_pause(error: DBAPIError, deadline: float) -> None:
    """Pause if a lock was not to be had; raise anything else, and SchemaBusy at the deadline."""
    # By the names that psycopg and asyncpg, and psycopg2, give to it.
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    if code != LOCK_NOT_AVAILABLE:
        raise error
    if time.monotonic() > deadline:
        raise SchemaBusy(
            f"schema: not migrated within {PATIENCE_SECONDS:g} s, its tables were never free; "
            "end long transactions that use them, and run it again"
        ) from error
    time.sleep(PAUSE_SECONDS)


def _print_steps() -> None:
    """Print every migration, each to run only where it is missing: nobody can look from here."""
    show = op.get_context().impl.static_output
    show(f"{sql('schema/lock')};")
    show(f"{sql('schema/version_table')};")
    for script in _pending(None):
        body = (directory() / "sql" / f"{Path(script.path).stem}.sql").read_text(encoding="utf-8")
        step = sql("schema/step")
        show(step.replace("{revision}", script.revision).replace("{script}", body))


def downgrade(url: str | None, revision: str) -> None:
    """Migrate down to `revision`; `base` takes every table away, jobs included."""
    _persistently(url, alembic.command.downgrade, revision)


def _persistently(url: str | None, command: Callable[[Config, str], None], revision: str) -> None:
    """Run a migration, again while others hold a table it needs to itself.

    Raises SchemaBusy after a minute of that.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with _connection(url) as connection:
                command(_config(connection), revision)
        except OperationalError as error:
            _give_up_or_pause(error, deadline)
        else:
            return


def upgrade_sql(start: str | None = None) -> str:
    """Give the SQL of the migrations after `start` (None: of all), for someone to read and run."""
    output = io.StringIO()
    config = _config()
    config.output_buffer = output
    alembic.command.upgrade(config, f"{start}:head" if start else "head", sql=True)
    return output.getvalue()


def revisions() -> list[str]:
    """Name the migrations of this package, in order."""
    return [script.revision for script in _pending(None)]


def _pending(found: str | None) -> list[Script]:
    """Give the migrations that a database at revision `found` lacks, in order."""
    scripts = [*ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
    known = [script.revision for script in scripts]
    if found is not None and found not in known:
        return []  # a newer package made it: nothing of ours is missing
    return scripts[known.index(found) + 1 :] if found else scripts


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connection(url: str | None) -> Generator[Connection]:
    """Open one transaction for the whole run."""
    conninfo = to_conninfo(url, application_name="jobqueue migrate")

    def connect() -> object:
        return psycopg.connect(conninfo)

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()
