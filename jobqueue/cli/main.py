"""The command `jobqueue`, and what its exit codes mean."""

from __future__ import annotations

import sys
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError

import jobqueue
from jobqueue.cli import dead, dev, enqueue, grants, jobs, migrate, stats, worker
from jobqueue.cli.exit_codes import EPILOG, Exit
from jobqueue.core.errors import (
    DatabaseUnavailable,
    JobQueueError,
    SchemaError,
    one_line,
)

app = typer.Typer(
    name="jobqueue",
    help="A transactional job queue in your PostgreSQL: migrate, run workers, look after jobs.",
    epilog=EPILOG,
    no_args_is_help=True,
    # A user's own module may fail to import: its traceback is shown as Python shows it.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
migrate.register(app)
grants.register(app)
dev.register(app)
worker.register(app)
enqueue.register(app)
jobs.register(app)
dead.register(app)
stats.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jobqueue {jobqueue.__version__}")
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


def run() -> None:
    """Run the command; errors we know of are one line on stderr, all others a traceback."""
    try:
        app()
    except (JobQueueError, psycopg.Error, DBAPIError) as error:
        told = _tell(error.orig if isinstance(error, DBAPIError) else error)
        if told is None:
            raise
        message, code = told
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"[bold red]error:[/] {message}"
        )
        sys.exit(code)


def _tell(error: BaseException | None) -> tuple[str, Exit] | None:
    """Give what to say of `error` and the exit code that tells programs; None: not one we know."""
    match error:
        case SchemaError():
            return _plain(error), Exit.SCHEMA
        case DatabaseUnavailable():
            return _plain(error), Exit.DATABASE
        case JobQueueError():
            return _plain(error), Exit.USAGE
        case psycopg.errors.UndefinedTable():
            return (
                "schema 'jobqueue': not in this database, or behind; run `jobqueue migrate` first",
                Exit.SCHEMA,
            )
        case psycopg.errors.InsufficientPrivilege():
            return f"database: {_plain(error)}; ask its owner for the right to do this", Exit.FAILED
        case psycopg.OperationalError():
            remedy = "check that the server runs and the URL names it"
            return f"database: {_plain(error)}; {remedy}", Exit.DATABASE
        case _:
            return None


def _plain(error: BaseException) -> str:
    """Give the message on one line, its brackets not taken for markup."""
    return one_line(error).replace("[", r"\[")
