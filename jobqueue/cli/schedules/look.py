"""Looking at schedules: list, show, next."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer
from rich.markup import escape

from jobqueue.cli.options import MOST_ROWS, AsJson, DatabaseUrl
from jobqueue.cli.output import console, moment, print_json, print_table, seconds, visible
from jobqueue.cli.schedules import options
from jobqueue.cli.session import session
from jobqueue.core.schedules.definition import to_rule
from jobqueue.core.schedules.rule import Rule
from jobqueue.core.schedules.zones import find_zone
from jobqueue.store import schedules as statements
from jobqueue.store.schedules import ScheduleRecord, TickRecord
from jobqueue.store.statement import run

# A tick that is decided about within it is in time, for people.
IN_TIME_SECONDS = 1.0


def list_(
    database_url: DatabaseUrl = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only those active, paused, dropped, finished or broken."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List schedules: when each is next due, how it did last, and what is wrong with it."""
    with session(database_url) as execute:
        found = run(execute, statements.list_schedules(state=state))
    if as_json:
        print_json([{**_as_dict(one), "remarks": remarks(one)} for one in found])
        return
    print_table(
        ("name", "task", "rule", "state", "next", "last", "late", "last success", "remarks"),
        (
            (
                one.name,
                one.task,
                rule_text(one),
                one.state,
                moment(one.next_at) if one.state == "active" else None,
                _last(one),
                _late(one),
                moment(one.last_success_at),
                "; ".join(remarks(one)),
            )
            for one in found
        ),
        empty="no schedules",
    )


def show(
    name: options.Name,
    database_url: DatabaseUrl = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="So many ticks.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show everything about one schedule, and what became of its latest ticks."""
    with session(database_url) as execute:
        found = run(execute, statements.list_schedules(name=name))
        ticks = run(execute, statements.ticks(name, limit=limit))
    if not found:
        options.unknown(name)
    if as_json:
        print_json({**_as_dict(found[0]), "remarks": remarks(found[0]), "ticks": ticks})
        return
    _print_schedule(found[0])
    console.print()
    print_table(
        ("tick", "state", "job", "late", "finished", ""),
        (
            (
                moment(one.tick_at),
                one.state,
                one.job_id,
                None if one.by_hand else seconds(one.late_seconds),
                moment(one.finished_at),
                _kind(one),
            )
            for one in ticks
        ),
        empty="no tick yet",
    )


def next_(
    name: Annotated[
        str | None, typer.Argument(help="The schedule's name.", show_default=False)
    ] = None,
    database_url: DatabaseUrl = None,
    cron: options.Cron = None,
    every: options.Every = None,
    at: options.At = None,
    anchor: options.Anchor = None,
    tz: options.TimeZone = None,
    start: options.Start = None,
    end: options.End = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="So many.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show the next ticks of a schedule, or of a rule that you are thinking of.

    [bold]jobqueue schedules next --cron '30 2 * * *' --tz Europe/Berlin[/]
    """
    if name is None:
        given = options.given(every=every, at=at, anchor=anchor, tz=tz, start=start, end=end)
        rule, now = to_rule(cron, given), datetime.now(UTC)
    else:
        if any(one is not None for one in (cron, every, at, anchor, tz, start, end)):
            raise typer.BadParameter("name a schedule or give a rule, not both")
        rule, now = _kept_rule(database_url, name)
    ticks = list(islice(rule.after(now), count))
    if as_json:
        print_json(ticks)
        return
    zone = find_zone(rule.timezone)
    print_table(
        (rule.timezone, "UTC"),
        ((tick.astimezone(zone).isoformat(" "), tick.isoformat(" ")) for tick in ticks),
        empty="no tick is left",
    )


def _kept_rule(url: str | None, name: str) -> tuple[Rule, datetime]:
    with session(url) as execute:
        found = run(execute, statements.definition(name))
    if not found:
        options.unknown(name)
    return found[0].definition.rule, found[0].now


def remarks(one: ScheduleRecord) -> list[str]:
    """Say what people should know of a schedule."""
    said: list[str] = []
    if one.problem is not None:
        said.append(one.problem)
    if one.failures:
        said.append(f"failing: {one.failures} dead since its last success")
    if one.state == "active" and (one.overdue_seconds or 0.0) > IN_TIME_SECONDS:
        said.append(f"overdue for {seconds(one.overdue_seconds)}: no leader, or it is busy")
    if one.state == "active" and not one.task_known:
        said.append(f"no worker knows task {one.task!r}")
    if one.state == "dropped":
        said.append("its code declares it no more")
    return said


def rule_text(one: ScheduleRecord) -> str:
    """Give a schedule's rule in a few words."""
    if one.cron is not None:
        return f"{one.cron} ({one.timezone})"
    if one.every_seconds is not None:
        return f"every {one.every_seconds} s"
    return f"at {moment(one.at)}"


def _last(one: ScheduleRecord) -> str | None:
    return None if one.last_tick_at is None else f"{moment(one.last_tick_at)} {one.last_state}"


def _late(one: ScheduleRecord) -> str | None:
    late = one.last_late_seconds
    return seconds(late) if late is not None and late > IN_TIME_SECONDS else None


def _kind(one: TickRecord) -> str:
    return "by hand" if one.by_hand else "catch-up" if one.catch_up else ""


def _as_dict(one: ScheduleRecord) -> dict[str, object]:
    return {name: getattr(one, name) for name in ScheduleRecord.__slots__}


def _print_schedule(one: ScheduleRecord) -> None:
    jobs = "no limit" if one.max_runs is None else f"{one.max_runs} at most"
    missed = f"{one.missed}, {one.missed_limit} at most" if one.missed == "all" else one.missed
    lines: list[tuple[str, object]] = [
        ("name", one.name),
        ("task", one.task),
        ("arguments", json.dumps(one.args, ensure_ascii=False, separators=(",", ":"))),
        ("queue", one.queue),
        ("priority", one.priority),
        ("attempts", one.max_attempts),
        ("rule", rule_text(one)),
        ("start", moment(one.starts_at)),
        ("end", moment(one.ends_at)),
        ("jitter", seconds(one.jitter_seconds) if one.jitter_seconds else None),
        ("jobs", f"{one.runs}; {jobs}"),
        ("missed", f"{missed}; after {seconds(one.missed_after_seconds)}"),
        ("overlap", one.overlap),
        ("made by", one.source if not one.application else f"{one.source} of {one.application}"),
        ("state", one.state),
        ("next", moment(one.next_at) if one.state == "active" else None),
        ("last", _last(one)),
        ("success", moment(one.last_success_at)),
        *(("remark", remark) for remark in remarks(one)),
    ]
    for name, value in lines:
        if value is not None:
            console.print(f"[bold]{name:<10}[/] {escape(visible(value))}", soft_wrap=True)
