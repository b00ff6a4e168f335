"""`jobqueue pause`, `resume` and `paused`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobqueue.cli.options import AsJson, DatabaseUrl
from jobqueue.cli.output import age, console, errors, moment, print_json, print_table, visible
from jobqueue.cli.session import session
from jobqueue.core.limits import check_limit_name, key_of
from jobqueue.core.names import check_queue_name, check_task_name
from jobqueue.store import pauses as statements
from jobqueue.store.pauses import Pausable
from jobqueue.store.statement import run

Queue = Annotated[str | None, typer.Option("--queue", help="This queue.", show_default=False)]
Task = Annotated[str | None, typer.Option("--task", help="This task.", show_default=False)]
Limit = Annotated[
    str | None, typer.Option("--limit", help="One key of this limit.", show_default=False)
]
Key = Annotated[
    str | None,
    typer.Option("--key", help="The key; '' if the limit has none.", show_default=False),
]


def pause(
    queue: Queue = None,
    task: Task = None,
    limit: Limit = None,
    key: Key = None,
    reason: Annotated[
        str | None, typer.Option(help="Why, for others who look.", show_default=False)
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Begin no more jobs of a queue, a task or a key. What runs may finish; new jobs wait.

    [bold]jobqueue pause --queue email --reason "their server is down"[/]
    [bold]jobqueue pause --limit imports --key acme[/]
    """
    what = _what(queue, task, limit, key)
    with session(database_url) as execute:
        [new] = run(execute, statements.pause(what, reason))
    if new:
        console.print(
            f"{visible(str(what))}: paused; workers begin none of its jobs from within a second on",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    else:
        console.print(f"{visible(str(what))}: was paused already", markup=False, soft_wrap=True)


def resume(
    queue: Queue = None,
    task: Task = None,
    limit: Limit = None,
    key: Key = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let jobs of a queue, of a task or of a key begin again."""
    what = _what(queue, task, limit, key)
    with session(database_url) as execute:
        [was] = run(execute, statements.resume(what))
    if not was:
        errors.print(f"{visible(str(what))}: is not paused", markup=False)
        raise typer.Exit(1)
    console.print(f"{visible(str(what))}: goes on", markup=False, soft_wrap=True)


def paused(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List what is paused."""
    with session(database_url) as execute:
        found = run(execute, statements.list_pauses())
    if as_json:
        print_json(found)
        return
    print_table(
        ("kind", "name", "key", "since", "for", "reason"),
        (
            (
                one.kind,
                one.name,
                one.key if one.kind == "key" else None,
                moment(one.paused_at),
                age(one.paused_at),
                one.reason,
            )
            for one in found
        ),
        empty="nothing is paused",
    )


def _what(queue: str | None, task: str | None, limit: str | None, key: str | None) -> Pausable:
    """Give what is meant, which must be one thing."""
    if sum(one is not None for one in (queue, task, limit)) != 1:
        raise typer.BadParameter("give --queue, --task, or --limit with --key: one of them")
    if (limit is None) != (key is None):
        raise typer.BadParameter("give --limit and --key together")
    if queue is not None:
        return Pausable(queue=check_queue_name(queue))
    if task is not None:
        return Pausable(task=check_task_name(task))
    return Pausable(limit_name=check_limit_name(limit), key=key_of(key))


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(pause)
    app.command()(resume)
    app.command()(paused)
