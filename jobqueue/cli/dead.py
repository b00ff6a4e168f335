"""`jobqueue dead`: list, show, edit, redrive, purge."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from jobqueue.cli.jobs import show
from jobqueue.cli.options import (
    MOST_ROWS,
    AsJson,
    DatabaseUrl,
    JobId,
    JobIds,
    parse_arguments,
    parse_moment,
)
from jobqueue.cli.output import console, errors, print_jobs, print_json
from jobqueue.cli.session import session
from jobqueue.core.secrets import HIDDEN
from jobqueue.store import dead_letters, stats
from jobqueue.store.dead_letters import Filter
from jobqueue.store.statement import Statement, run

dead = typer.Typer(
    help="Look after dead letters: jobs that are out of attempts.", no_args_is_help=True
)

Queue = Annotated[str | None, typer.Option(help="Only of this queue.")]
Task = Annotated[str | None, typer.Option(help="Only of this task.")]
Before = Annotated[
    datetime | None,
    typer.Option(parser=parse_moment, metavar="MOMENT", help="Only those that died before it."),
]
Everything = Annotated[bool, typer.Option("--all", help="All of them.")]

BATCH = 500


@dead.command("list")
def list_(
    database_url: DatabaseUrl = None,
    queue: Queue = None,
    task: Task = None,
    before: Before = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first."""
    with session(database_url) as execute:
        found = run(execute, dead_letters.list_dead(Filter(queue, task, before), limit=limit))
    if as_json:
        print_json(found)
    else:
        print_jobs(found, empty="no dead letters")


dead.command("show")(show)


@dead.command()
def edit(
    job_id: JobId,
    arguments: Annotated[
        str, typer.Argument(metavar="JSON", help="Its new arguments.", show_default=False)
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Give a dead letter other arguments, before it is redriven."""
    values = parse_arguments(arguments)
    if hidden := [name for name, value in values.items() if value == HIDDEN]:
        raise typer.BadParameter(
            f"argument {hidden[0]!r}: is {HIDDEN}, which only stands for a secret where it is "
            "shown; give its value"
        )
    with session(database_url) as execute:
        edited = run(execute, dead_letters.edit(job_id, json.dumps(values)))
    if not edited:
        errors.print(f"job {job_id}: no dead letter; see `jobqueue dead list`")
        raise typer.Exit(1)
    # Whole, however narrow the terminal: it is there to be copied.
    said = f"job {job_id}: edited; run it with `jobqueue dead redrive {job_id}`"
    console.print(said, soft_wrap=True)


@dead.command()
def redrive(
    job_ids: JobIds = None,
    database_url: DatabaseUrl = None,
    queue: Queue = None,
    task: Task = None,
    before: Before = None,
    everything: Everything = False,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, max=1_000_000, help="At most so many a second.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put dead letters back, with fresh attempts: by id, by filter, or all."""
    which = _which(job_ids, Filter(queue, task, before), everything)
    _repeat(
        database_url,
        "redriven",
        which,
        by_id=dead_letters.redrive,
        matching=dead_letters.redrive_matching,
        rate=rate,
        as_json=as_json,
    )


@dead.command()
def purge(
    job_ids: JobIds = None,
    database_url: DatabaseUrl = None,
    queue: Queue = None,
    task: Task = None,
    before: Before = None,
    everything: Everything = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good: by id, by filter, or all."""
    which = _which(job_ids, Filter(queue, task, before), everything)
    if not yes:
        typer.confirm("Delete these dead letters for good?", abort=True)
    _repeat(
        database_url,
        "purged",
        which,
        by_id=dead_letters.purge,
        matching=dead_letters.purge_matching,
        rate=None,
        as_json=as_json,
    )


def _which(
    job_ids: Sequence[UUID] | None, chosen: Filter, everything: bool
) -> Sequence[UUID] | Filter:
    """Take one way of naming dead letters, and refuse none or two."""
    filtered = chosen != Filter()
    if bool(job_ids) + (filtered or everything) != 1:
        raise typer.BadParameter(
            "name dead letters one way: by id, by --queue, --task and --before, or --all"
        )
    return job_ids or chosen


def _repeat(
    url: str | None,
    done: str,
    which: Sequence[UUID] | Filter,
    *,
    by_id: Callable[[Sequence[UUID]], Statement[str]],
    matching: Callable[..., Statement[str]],
    rate: float | None,
    as_json: bool,
) -> None:
    """Work in small transactions, showing how far it is, until nothing more is found."""
    changed: list[str] = []
    batch = BATCH if rate is None else max(1, min(BATCH, int(rate)))
    left = list(which) if not isinstance(which, Filter) else None
    with session(url) as execute, _progress(done) as progress:
        if isinstance(which, Filter):
            # Those that die again meanwhile are not taken up a second time.
            [now] = run(execute, stats.now())
            which = replace(which, died_before=min(which.died_before or now, now))
        bar = progress.add_task(done, total=None if left is None else len(left))
        while True:
            began = time.monotonic()
            if isinstance(which, Filter):
                found = run(execute, matching(which, limit=batch))
                more = bool(found)
            else:
                found = run(execute, by_id((left or [])[:batch]))
                left = (left or [])[batch:]
                more = bool(left)
            changed += found
            progress.update(bar, completed=len(changed))
            if not more:
                break
            if rate is not None:
                time.sleep(max(0.0, batch / rate - (time.monotonic() - began)))
    if as_json:
        print_json({done: changed})
    else:
        console.print(f"{done} {len(changed)}")
    if not changed:
        raise typer.Exit(1)


def _progress(done: str) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn(f"{done} {{task.completed:,.0f}}"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(dead, name="dead")
