"""`jobqueue enqueue`: one job, from a shell."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from jobqueue.cli.options import (
    AsJson,
    DatabaseUrl,
    Imports,
    parse_arguments,
    parse_id,
    parse_moment,
    parse_seconds,
)
from jobqueue.cli.output import console, print_json
from jobqueue.cli.session import session
from jobqueue.core.errors import TaskError
from jobqueue.core.names import check_task_name
from jobqueue.core.options import EnqueueOptions, UsingOptions
from jobqueue.store import jobs as statements
from jobqueue.store.statement import run
from jobqueue.worker.application import load_application


def enqueue(
    task: Annotated[str, typer.Argument(help="The task's name.", show_default=False)],
    arguments: Annotated[
        str, typer.Argument(metavar="[JSON]", help="Its arguments, by name, as a JSON object.")
    ] = "{}",
    database_url: DatabaseUrl = None,
    application: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE:NAME",
            help="Check the arguments against this application's task.",
            show_default=False,
        ),
    ] = None,
    imports: Imports = None,
    queue: Annotated[str | None, typer.Option(help="Default: the task's own.")] = None,
    priority: Annotated[
        str | None, typer.Option(help="critical, normal, low or a number; lower runs first.")
    ] = None,
    attempts: Annotated[int | None, typer.Option(help="How often it may be tried.")] = None,
    delay: Annotated[
        float | None,
        typer.Option(parser=parse_seconds, metavar="TIME", help="Run it after this while."),
    ] = None,
    run_at: Annotated[
        datetime | None,
        typer.Option(parser=parse_moment, metavar="MOMENT", help="Run it at this moment."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(parser=parse_seconds, metavar="TIME", help="How long an attempt may take."),
    ] = None,
    expires_in: Annotated[
        float | None,
        typer.Option(
            parser=parse_seconds, metavar="TIME", help="Cancel it if not started so long after due."
        ),
    ] = None,
    job_id: Annotated[
        UUID | None,
        typer.Option(
            "--id", parser=parse_id, metavar="UUID", help="Its id; repeating is harmless."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Enqueue one job, in a transaction of its own.

    [bold]jobqueue enqueue send_welcome '{"user_id": 42}' --delay 5m[/]
    """
    values = parse_arguments(arguments)
    given: dict[str, Any] = {
        "queue": queue,
        "priority": priority,
        "attempts": attempts,
        "delay": delay,
        "run_at": run_at,
        "timeout": timeout,
        "expires_in": expires_in,
        "job_id": job_id,
    }
    options = UsingOptions(**{name: value for name, value in given.items() if value is not None})
    if application is None:
        # Nothing is known of the task here: its worker has noted its defaults in the database.
        checked = EnqueueOptions(queue=None, priority=None, max_attempts=None).using(options)
        encoded = json.dumps(values)
        statement = statements.enqueue(check_task_name(task), encoded, checked)
    else:
        tasks = load_application(application, imports or ()).tasks
        if task not in tasks:
            raise TaskError(
                f"task {task!r}: not registered in {application}; "
                f"use one of {', '.join(sorted(tasks)) or 'none'}"
            )
        statement = tasks[task].using(**options).statement(values)
    with session(database_url) as execute:
        [enqueued] = run(execute, statement)
    if as_json:
        print_json(enqueued)
    else:
        console.print(f"{enqueued.outcome} {enqueued.id}")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(enqueue)
