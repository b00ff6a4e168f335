"""`jobqueue migrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobqueue.cli.exit_codes import Exit
from jobqueue.cli.options import DatabaseUrl
from jobqueue.cli.output import console, errors
from jobqueue.core.errors import ConfigurationError


def migrate(
    database_url: DatabaseUrl = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL instead, for a DBA to read and run.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 4 if migrations are to be run.")
    ] = False,
    downgrade_to: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="Go back to a revision. `base` drops every table, jobs included.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a downgrade.")] = False,
) -> None:
    """Bring the schema `jobqueue` of a database up to date.

    Any number of processes may run this at once: one migrates, the others wait and find it done.
    """
    # Alembic and SQLAlchemy take a moment to import; no other command needs them.
    from alembic.util.exc import CommandError  # noqa: PLC0415

    from jobqueue.store import migrations  # noqa: PLC0415

    if sql:
        start = migrations.position(database_url).current if database_url else None
        typer.echo(migrations.upgrade_sql(start))
        return
    position = migrations.position(database_url)
    if check:
        if position.behind:
            errors.print(
                f"schema: at {position.current or 'nothing'}, {len(position.pending)} to run "
                f"({', '.join(position.pending)}); run `jobqueue migrate`"
            )
            raise typer.Exit(Exit.SCHEMA)
        console.print(f"schema: up to date, at {position.current}")
    elif downgrade_to is not None:
        if not yes:
            typer.confirm(
                f"Going back to {downgrade_to} may drop tables and the jobs in them. Go on?",
                abort=True,
            )
        # By its name only: Alembic knows more ways to name one, an empty variable among them.
        if downgrade_to != "base" and downgrade_to not in migrations.revisions():
            raise ConfigurationError(
                f"revision {downgrade_to!r}: unknown; use `base` or one of "
                f"{', '.join(migrations.revisions())}"
            )
        try:
            migrations.downgrade(database_url, downgrade_to)
        except CommandError as error:
            raise ConfigurationError(
                f"revision {downgrade_to!r}: {error}; use `base` or one of the migrations' own"
            ) from error
        console.print(f"schema: now at {migrations.position(database_url).current or 'nothing'}")
    elif not position.behind:
        console.print(f"schema: up to date, at {position.current}")
    else:
        migrations.upgrade(database_url)
        done = ", ".join(position.pending)
        console.print(f"schema: brought up to date ({done}); now at {position.newest}")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(migrate)
