"""Making and changing schedules: add, update."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any, cast

import typer

from jobqueue.cli.options import DatabaseUrl, parse_arguments
from jobqueue.cli.output import console, errors, visible
from jobqueue.cli.schedules import options
from jobqueue.cli.session import session
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.names import check_queue_name, check_task_name
from jobqueue.core.priority import to_priority
from jobqueue.core.retry import check_attempts
from jobqueue.core.schedules.definition import Definition, ScheduleOptions, define
from jobqueue.core.secrets import HIDDEN
from jobqueue.store import schedules as statements
from jobqueue.store.schedules import Kept
from jobqueue.store.statement import run

Queue = Annotated[str | None, typer.Option(help="Default: the task's own.", show_default=False)]
Priority = Annotated[
    str | None, typer.Option(help="critical, normal, low or a number.", show_default=False)
]
Attempts = Annotated[
    int | None, typer.Option(help="How often a job may be tried.", show_default=False)
]


def add(
    name: options.Name,
    task: Annotated[str, typer.Argument(help="The task's name.", show_default=False)],
    arguments: Annotated[
        str, typer.Argument(metavar="[JSON]", help="Its arguments, by name, as a JSON object.")
    ] = "{}",
    database_url: DatabaseUrl = None,
    cron: options.Cron = None,
    every: options.Every = None,
    at: options.At = None,
    anchor: options.Anchor = None,
    tz: options.TimeZone = None,
    start: options.Start = None,
    end: options.End = None,
    count: options.Count = None,
    jitter: options.Jitter = None,
    missed: options.Missed = None,
    missed_limit: options.MissedLimit = None,
    missed_after: options.MissedAfter = None,
    overlap: options.Overlap = None,
    remove_when_done: options.RemoveWhenDone = None,
    queue: Queue = None,
    priority: Priority = None,
    attempts: Attempts = None,
) -> None:
    """Make a schedule. One of --cron, --every and --at says when it is due.

    [bold]jobqueue schedules add nightly report '{"kind": "sales"}' --cron '0 3 * * *'[/]
    """
    given = options.given(
        every=every, at=at, anchor=anchor, tz=tz, start=start, end=end, count=count, jitter=jitter,
        missed=missed, missed_limit=missed_limit, missed_after=missed_after, overlap=overlap,
        remove_when_done=remove_when_done,
    )  # fmt: skip
    definition = define(
        name, check_task_name(task), cron, given,
        args=json.dumps(parse_arguments(arguments)), **_job(queue, priority, attempts),
    )  # fmt: skip
    with session(database_url) as execute:
        if not run(execute, statements.add(definition)):
            errors.print(
                f"schedule {visible(repr(name))}: there is one already; change it with "
                "`jobqueue schedules update`",
                markup=False,
            )
            raise typer.Exit(1)
        [kept] = run(execute, statements.definition(name))
    _say(kept, "added")


def update(
    name: options.Name,
    database_url: DatabaseUrl = None,
    task: Annotated[str | None, typer.Option(help="Another task.", show_default=False)] = None,
    arguments: Annotated[
        str | None,
        typer.Option("--args", metavar="JSON", help="Other arguments.", show_default=False),
    ] = None,
    cron: options.Cron = None,
    every: options.Every = None,
    at: options.At = None,
    anchor: options.Anchor = None,
    tz: options.TimeZone = None,
    start: options.Start = None,
    end: options.End = None,
    count: options.Count = None,
    jitter: options.Jitter = None,
    missed: options.Missed = None,
    missed_limit: options.MissedLimit = None,
    missed_after: options.MissedAfter = None,
    overlap: options.Overlap = None,
    remove_when_done: options.RemoveWhenDone = None,
    queue: Queue = None,
    priority: Priority = None,
    attempts: Attempts = None,
) -> None:
    """Change a schedule; what is not given stays.

    A new rule counts from now on. What is changed of a schedule that code declares stays until that
    code declares something else.
    """
    given = options.given(
        every=every, at=at, anchor=anchor, tz=tz, start=start, end=end, count=count, jitter=jitter,
        missed=missed, missed_limit=missed_limit, missed_after=missed_after, overlap=overlap,
        remove_when_done=remove_when_done,
    )  # fmt: skip
    job = _job(queue, priority, attempts)
    if task is not None:
        job["task"] = check_task_name(task)
    if arguments is not None:
        job["args"] = json.dumps(_unhidden(parse_arguments(arguments)))
    if not given and not job and cron is None:
        raise typer.BadParameter("nothing to change; give an option")
    with session(database_url) as execute:
        found = run(execute, statements.definition(name))
        if not found:
            options.unknown(name)
        changed = _changed(found[0].definition, cron, given, job)
        if not run(execute, statements.update(changed, found[0].definition)):
            errors.print(
                f"schedule {visible(repr(name))}: changed by somebody else meanwhile; try again",
                markup=False,
            )
            raise typer.Exit(1)
        [kept] = run(execute, statements.definition(name))
    _say(kept, "updated")


def _changed(
    before: Definition, cron: str | None, given: ScheduleOptions, job: dict[str, Any]
) -> Definition:
    """Put what was given over what was there, and check the whole."""
    rule = before.rule
    columns = {**asdict(rule), **asdict(before)}
    options_before = options.current(columns)
    if cron is None and "every" not in given and "at" not in given:
        cron = rule.cron
        if rule.every_seconds is not None:
            options_before["every"] = rule.every_seconds
            options_before["anchor"] = rule.anchor
        if rule.at is not None:
            options_before["at"] = rule.at
    merged = cast("ScheduleOptions", {**options_before, **given})
    kept = {name: columns[name] for name in ("args", "queue", "priority", "max_attempts")}
    chosen = {**kept, **job}
    return define(before.name, chosen.pop("task", before.task), cron, merged, **chosen)


def _job(queue: str | None, priority: str | None, attempts: int | None) -> dict[str, Any]:
    """Give what was said of the jobs, checked."""
    said: dict[str, Any] = {}
    if queue is not None:
        said["queue"] = check_queue_name(queue)
    if priority is not None:
        said["priority"] = to_priority(priority)
    if attempts is not None:
        said["max_attempts"] = check_attempts(attempts)
    return said


def _unhidden(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if value == HIDDEN:
            raise ConfigurationError(
                f"argument {name!r}: is {HIDDEN}, which only stands for a secret where it is "
                "shown; give its value"
            )
    return values


def _say(kept: Kept, done: str) -> None:
    """Say what was done, and when the schedule is due."""
    tick = next(kept.definition.rule.after(kept.now), None)
    due = "no tick is left" if tick is None else f"next tick {tick.isoformat(' ')}"
    console.print(
        f"schedule {visible(repr(kept.definition.name))}: {done}; {due}",
        markup=False,
        soft_wrap=True,
    )
