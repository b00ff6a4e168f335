"""Acting on schedules: pause, resume, remove, run-now, backfill."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import islice, takewhile
from typing import Annotated

import typer

from jobqueue.cli.options import AsJson, DatabaseUrl, parse_moment
from jobqueue.cli.output import console, errors, print_json, visible
from jobqueue.cli.schedules import options
from jobqueue.cli.session import session
from jobqueue.core.schedules.rule import EPOCH, SECOND
from jobqueue.store import schedules as statements
from jobqueue.store.statement import Statement, run

BATCH = 500
MOST_TICKS = 1_000_000


def pause(name: options.Name, database_url: DatabaseUrl = None) -> None:
    """Pause a schedule. What it has enqueued runs; ticks that pass are missed."""
    _set_state(database_url, name, statements.pause(name), "paused", ("active", "broken"))


def resume(name: options.Name, database_url: DatabaseUrl = None) -> None:
    """Let a schedule go on. Its --missed says what becomes of ticks that passed."""
    before = ("paused", "dropped", "broken")
    _set_state(database_url, name, statements.resume(name), "active", before)


def remove(
    name: options.Name,
    database_url: DatabaseUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a schedule for good. Jobs that it has enqueued stay."""
    if not yes:
        typer.confirm(f"Remove schedule {name!r} for good?", abort=True)
    with session(database_url) as execute:
        removed = run(execute, statements.remove(name))
    if not removed:
        options.unknown(name)
    _say(name, "removed")
    if removed == ["code"]:
        errors.print("if code still declares it, the next worker that starts makes it anew")


def run_now(name: options.Name, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Enqueue a job of a schedule now, whatever its rule says, and also if it is paused."""
    with session(database_url) as execute:
        enqueued = run(execute, statements.run_now(name))
    if not enqueued:
        options.unknown(name)
    if as_json:
        print_json({"id": enqueued[0]})
    else:
        _say(name, f"enqueued {enqueued[0]}")


def backfill(
    name: options.Name,
    start: Annotated[
        datetime, typer.Option("--from", parser=parse_moment, metavar="MOMENT", show_default=False)
    ],
    end: Annotated[
        datetime | None,
        typer.Option(
            "--to", parser=parse_moment, metavar="MOMENT", help="Default: now.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_TICKS, help="Refuse to enqueue more than this.")
    ] = 1_000,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Enqueue the jobs of past ticks that had none, both ends included.

    A tick that had a job is left alone, so repeating it is harmless for as long as ticks are kept.
    """
    with session(database_url) as execute:
        found = run(execute, statements.definition(name))
        if not found:
            options.unknown(name)
        kept = found[0]
        last = kept.now if end is None else end
        if last > kept.now:
            raise typer.BadParameter(
                "--to is not past yet; what is to come is enqueued in its time"
            )
        if last < start:
            raise typer.BadParameter("--to is before --from; exchange them")
        start = max(start, EPOCH)  # there is no tick before it
        passed = takewhile(lambda tick: tick <= last, kept.definition.rule.after(start - SECOND))
        ticks = [tick for tick in islice(passed, limit + 1) if tick >= start]
        if len(ticks) > limit:
            raise typer.BadParameter(
                f"more than {limit:,} ticks in that time; give a shorter one, or raise --limit"
            )
        jobs = 0
        for number in range(0, len(ticks), BATCH):
            batch = ticks[number : number + BATCH]
            jobs += sum(run(execute, statements.backfill(kept.id, batch)))
    if as_json:
        print_json({"ticks": len(ticks), "enqueued": jobs})
    else:
        _say(name, f"{len(ticks)} ticks; enqueued {jobs} that had no job")
    if not jobs:
        raise typer.Exit(1)


def _set_state(
    url: str | None, name: str, statement: Statement[str], state: str, before: Collection[str]
) -> None:
    """Do it and say what came of it; exit 1 if nothing did."""
    with session(url) as execute:
        found = run(execute, statement)
    if not found:
        options.unknown(name)
    if found[0] not in before:
        errors.print(f"schedule {visible(repr(name))}: is {found[0]}", markup=False)
        raise typer.Exit(1)
    _say(name, state)


def _say(name: str, what: str) -> None:
    console.print(f"schedule {visible(repr(name))}: {what}", markup=False, soft_wrap=True)
