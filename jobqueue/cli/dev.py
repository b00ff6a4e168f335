"""`jobqueue dev`: an embedded PostgreSQL for a laptop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from jobqueue.cli.output import console, errors
from jobqueue.core.errors import ConfigurationError
from jobqueue.testing import embedded

dev = typer.Typer(
    help="Start an embedded PostgreSQL for this folder, and print its URL.",
    invoke_without_command=True,
)

Folder = Annotated[
    Path,
    typer.Option("--folder", help="Where its data is kept; one server a folder.", file_okay=False),
]
DEFAULT_FOLDER = Path(".jobqueue/postgres")


@dev.callback()
def default(context: typer.Context, folder: Folder = DEFAULT_FOLDER) -> None:
    """Start an embedded PostgreSQL for this folder, and print its URL.

    It goes on running in the background, and keeps its data: [bold]export
    JOBQUEUE_DATABASE_URL=$(jobqueue dev)[/]. It takes no password and listens on a socket in the
    folder only: it is for development, never for production.
    """
    if context.invoked_subcommand is None:
        start(folder)


@dev.command()
def start(
    folder: Folder = DEFAULT_FOLDER,
    postgres: Annotated[
        int | None,
        typer.Option("--postgres", help="18 or 16; default: 18, or what the data has."),
    ] = None,
) -> None:
    """Start the server, or find it running, and print its URL."""
    url = embedded.start(folder.resolve(), version=postgres)
    typer.echo(url)
    if sys.stdout.isatty():
        errors.print(
            "\nIt runs in the background and keeps its data. Next:\n"
            f"  export JOBQUEUE_DATABASE_URL='{url}'\n"
            "  jobqueue migrate\n"
            "Stop it with `jobqueue dev stop`; look inside with `jobqueue dev psql`."
        )


@dev.command()
def stop(folder: Folder = DEFAULT_FOLDER) -> None:
    """Stop the server; its data stays."""
    stopped = embedded.stop(folder.resolve())
    console.print("stopped; its data stays" if stopped else "no server ran for this folder")


@dev.command()
def status(folder: Folder = DEFAULT_FOLDER) -> None:
    """Say whether the server runs; exit 1 if not."""
    if not embedded.running(folder.resolve()):
        console.print("not running; start it with `jobqueue dev`")
        raise typer.Exit(1)
    typer.echo(embedded.start(folder.resolve()))


@dev.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    folder: Folder = DEFAULT_FOLDER,
    database: Annotated[str, typer.Option(help="Which of its databases.")] = "postgres",
) -> None:
    """Open psql on the server; further arguments are psql's own (-c 'SELECT 1')."""
    folder = folder.resolve()
    if not embedded.running(folder):
        raise ConfigurationError(
            f"folder {str(folder)!r}: no server runs for it; start one with `jobqueue dev`"
        )
    url = embedded.database_url(folder, database)
    program = embedded.binary("psql", embedded.data_version(folder))
    raise typer.Exit(subprocess.call([program, url, *context.args]))  # noqa: S603 - the embedded server's own psql


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(dev, name="dev")
