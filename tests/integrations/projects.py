"""Projects of users, written into a folder and run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ENV = """
from alembic import context
from sqlalchemy import create_engine
import psycopg
import os

from models import metadata
from jobqueue.integrations.alembic import include_name

OPTIONS = {options}


def connect():
    return psycopg.connect(os.environ["APP_DATABASE"])


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine("postgresql+psycopg://", creator=connect)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, **OPTIONS)
        with context.begin_transaction():
            context.run_migrations()
"""

# As `alembic init -t async` makes it, in essence.
ASYNC_ENV = """
import asyncio
import os

from alembic import context
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import create_async_engine

from models import metadata

DRIVER = {driver!r}
GIVEN = conninfo_to_dict(os.environ["APP_DATABASE"])


async def connect():
    if DRIVER == "asyncpg":
        import asyncpg

        return await asyncpg.connect(
            host=GIVEN["host"], port=GIVEN.get("port"), user=GIVEN["user"],
            password=GIVEN.get("password"), database=GIVEN["dbname"],
        )
    import psycopg

    return await psycopg.AsyncConnection.connect(os.environ["APP_DATABASE"])


def migrate(connection):
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    engine = create_async_engine(f"postgresql+{DRIVER}://", async_creator=connect)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
"""

MODELS = """
from sqlalchemy import Column, Integer, MetaData, Table

metadata = MetaData()
Table("orders", metadata, Column("id", Integer, primary_key=True))
"""

FIRST = """
import sqlalchemy as sa
from alembic import op

from jobqueue.integrations.alembic import upgrade_jobqueue

revision = "aaaa"
down_revision = None


def upgrade():
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))
    upgrade_jobqueue()


def downgrade():
    op.drop_table("orders")
"""

AGAIN = """
import sqlalchemy as sa
from alembic import op

from jobqueue.integrations.alembic import upgrade_jobqueue

revision = "bbbb"
down_revision = "aaaa"


def upgrade():
    upgrade_jobqueue()
    op.add_column("orders", sa.Column("note", sa.Text))
    {after}


def downgrade():
    op.drop_column("orders", "note")
"""

SCRIPT = """
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
"""

MIGRATE = """
import sys

from alembic import command
from alembic.config import Config

config = Config()
config.set_main_option("script_location", "alembic")
config.set_main_option("path_separator", "os")
"""


class AlembicProject:
    """A user's project: one table, a migration that brings our schema, an env.py of its own."""

    def __init__(self, folder: Path, conninfo: str, *, options: str = "{}") -> None:
        self.folder = folder
        self._conninfo = conninfo
        self.versions = folder / "alembic" / "versions"
        self.versions.mkdir(parents=True)
        (folder / "models.py").write_text(MODELS)
        (folder / "alembic" / "env.py").write_text(ENV.replace("{options}", options))
        (folder / "alembic" / "script.py.mako").write_text(SCRIPT)
        (self.versions / "aaaa.py").write_text(FIRST)

    def migrate_through(self, driver: str) -> None:
        """Let env.py use an asynchronous driver."""
        (self.folder / "alembic" / "env.py").write_text(
            ASYNC_ENV.replace("{driver!r}", repr(driver))
        )

    def add_second(self, *, after: str = "") -> None:
        """Add a migration that calls upgrade_jobqueue again. after: the line at its end."""
        (self.versions / "bbbb.py").write_text(AGAIN.replace("{after}", after))

    def alembic(self, call: str) -> subprocess.CompletedProcess[str]:
        """Call a command of Alembic, such as `upgrade(config, "head")`."""
        return run_python(
            self.folder, MIGRATE + f"command.{call}\n", {"APP_DATABASE": self._conninfo}
        )

    def upgrade(self) -> None:
        done = self.alembic('upgrade(config, "head")')
        assert done.returncode == 0, done.stderr


def run_python(
    folder: Path, program: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder` with its modules and ours to be imported."""
    checkout = str(Path(__file__).parents[2])
    path = os.pathsep.join([str(folder), checkout])
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
