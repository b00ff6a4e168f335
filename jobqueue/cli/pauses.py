"""`jobqueue pause`, `resume` and `paused`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobqueue.cli.options import AsJson, DatabaseUrl
from jobqueue.cli.output import age, console, errors, moment, print_json, print_table, visible
from jobqueue.cli.session import session
from jobqueue.core.names import check_queue_name, check_task_name
from jobqueue.store import pauses as statements
from jobqueue.store.statement import run

Queue = Annotated[str | None, typer.Option("--queue", help="This queue.", show_default=False)]
Task = Annotated[str | None, typer.Option("--task", help="This task.", show_default=False)]


def pause(
    queue: Queue = None,
    task: Task = None,
    reason: Annotated[
        str | None, typer.Option(help="Why, for others who look.", show_default=False)
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Begin no more jobs of a queue or of a task. What runs may finish; new jobs wait."""
    what = _what(queue, task)
    with session(database_url) as execute:
        [new] = run(execute, statements.pause(queue, task, reason))
    if new:
        console.print(
            f"{what}: paused; workers begin none of its jobs from within a second on",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    else:
        console.print(f"{what}: was paused already", markup=False, soft_wrap=True)


def resume(queue: Queue = None, task: Task = None, database_url: DatabaseUrl = None) -> None:
    """Let jobs of a queue or of a task begin again."""
    what = _what(queue, task)
    with session(database_url) as execute:
        [was] = run(execute, statements.resume(queue, task))
    if not was:
        errors.print(f"{what}: is not paused", markup=False)
        raise typer.Exit(1)
    console.print(f"{what}: goes on", markup=False, soft_wrap=True)


def paused(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List what is paused."""
    with session(database_url) as execute:
        found = run(execute, statements.list_pauses())
    if as_json:
        print_json(found)
        return
    print_table(
        ("kind", "name", "since", "for", "reason"),
        (
            (one.kind, one.name, moment(one.paused_at), age(one.paused_at), one.reason)
            for one in found
        ),
        empty="nothing is paused",
    )


def _what(queue: str | None, task: str | None) -> str:
    """Name what is meant, which must be one thing."""
    if queue is not None and task is None:
        return f"queue {visible(repr(check_queue_name(queue)))}"
    if task is not None and queue is None:
        return f"task {visible(repr(check_task_name(task)))}"
    raise typer.BadParameter("give --queue or --task, one of them")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(pause)
    app.command()(resume)
    app.command()(paused)
