"""`jobqueue grants`."""

from __future__ import annotations

from typing import Annotated

import psycopg
import typer

from jobqueue.cli.options import DatabaseUrl
from jobqueue.core.errors import ConfigurationError
from jobqueue.store.database import check_schema, executor, to_conninfo
from jobqueue.store.grants import Purpose, grant
from jobqueue.store.grants import grants as grants_of


def grants(
    role: Annotated[str, typer.Option(help="The database role.", show_default=False)],
    purpose: Annotated[
        Purpose,
        typer.Option(
            "--for",
            help="enqueue: only that. read: look at jobs, secret arguments hidden. "
            "worker: run workers and look after jobs.",
            show_default=False,
        ),
    ],
    database_url: DatabaseUrl = None,
    run: Annotated[bool, typer.Option("--run", help="Run them, as the schema's owner.")] = False,
) -> None:
    """Print the GRANTs that a database role needs, or run them."""
    if not run:
        typer.echo(grants_of(role, purpose).as_string())
        return
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as connection:
        check_schema(executor(connection))
        try:
            grant(connection, role, purpose)
        except psycopg.errors.UndefinedObject as error:
            raise ConfigurationError(
                f"role {role!r}: not in this database; make it with CREATE ROLE"
            ) from error
    typer.echo(f"role {role}: may now {purpose}")  # not markup: a role's name may hold brackets


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(grants)
