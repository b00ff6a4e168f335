"""The command `jobqueue`, and what its exit codes mean."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import DBAPIError

import jobqueue
from jobqueue.cli import (
    dead,
    dev,
    doctor,
    enqueue,
    grants,
    jobs,
    limits,
    metrics,
    migrate,
    pauses,
    queues,
    schedules,
    stats,
    worker,
)
from jobqueue.cli.exit_codes import EPILOG, Exit
from jobqueue.cli.output import visible
from jobqueue.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    ImportFailed,
    JobQueueError,
    LifespanError,
    ResultError,
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
schedules.register(app)
queues.register(app)
pauses.register(app)
limits.register(app)
stats.register(app)
doctor.register(app)
metrics.register(app)


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
        _check_words(sys.argv[1:])
        app()
    except (JobQueueError, psycopg.Error, DBAPIError) as error:
        told = _tell(error.orig if isinstance(error, DBAPIError) else error)
        if told is None:
            raise
        message, code = told
        if isinstance(error, LifespanError | ImportFailed) and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)  # the application's own
        # Not as markup: it holds whatever was given to us.
        line = Text.assemble(("error:", "bold red"), " ", visible(message))
        Console(stderr=True, highlight=False, soft_wrap=True).print(line)
        sys.exit(code)


def _tell(error: BaseException | None) -> tuple[str, Exit] | None:
    """Give what to say of `error` and the exit code that tells programs; None: not one we know."""
    match error:
        case SchemaError():
            return one_line(error), Exit.SCHEMA
        case DatabaseUnavailable():
            return one_line(error), Exit.DATABASE
        case LifespanError():
            return one_line(error), Exit.RESOURCES
        case ResultError() | ImportFailed():
            return one_line(error), Exit.FAILED
        case JobQueueError():
            return one_line(error), Exit.USAGE
        case psycopg.errors.UndefinedTable():
            return (
                "schema 'jobqueue': not in this database, or behind; run `jobqueue migrate` first",
                Exit.SCHEMA,
            )
        case psycopg.errors.InsufficientPrivilege():
            return (
                f"database: {one_line(error)}; ask its owner for the right to do this",
                Exit.FAILED,
            )
        case psycopg.OperationalError():
            remedy = "check that the server runs and the URL names it"
            return f"database: {one_line(error)}; {remedy}", Exit.DATABASE
        case _:
            return None


def _check_words(words: list[str]) -> None:
    """Refuse what PostgreSQL could not be sent."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise ConfigurationError(
                f"argument {word!r:.100}: holds bytes that are not UTF-8; write it as UTF-8"
            ) from None
