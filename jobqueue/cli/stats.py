"""`jobqueue stats`: queues and workers in numbers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from jobqueue.cli.options import AsJson, DatabaseUrl
from jobqueue.cli.output import (
    age,
    console,
    moment,
    print_json,
    print_table,
    seconds,
    visible,
)
from jobqueue.cli.session import session
from jobqueue.cli.stats_sampled import show_sampled
from jobqueue.store import maintenance, stats, workers
from jobqueue.store.statement import run


def show_stats(
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    sampled: Annotated[
        bool,
        typer.Option(
            "--sampled",
            help="Show what the leader last sampled, with rates and latencies, and count nothing.",
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the sample again every two seconds.")
    ] = False,
) -> None:
    """Show each queue's depth, its oldest waiting job and its workers, and who works."""
    with session(database_url) as execute:
        if sampled or watch:
            show_sampled(execute, as_json=as_json, watch=watch)
            return
        queues = run(execute, stats.queues())
        working = run(execute, workers.list_workers())
        [candidacy] = run(execute, maintenance.candidacy())
        leader = next(iter(run(execute, maintenance.leader())), None)
    if as_json:
        print_json(
            {
                "queues": queues,
                "workers": working,
                "leader": not candidacy.absent,
                "leader_worker": leader and leader.worker,
                "leader_since": leader and leader.since,
            }
        )
        return
    print_table(
        (
            *("queue", "available", "scheduled", "running", "dead", "expired", "oldest waits"),
            *("workers", ""),
        ),
        (
            (
                one.queue,
                one.available,
                one.scheduled,
                one.running,
                one.dead,
                one.expired,
                seconds(one.oldest_seconds),
                one.workers,
                "paused" if one.paused else None,
            )
            for one in queues
        ),
        empty="no queue has been used yet",
    )
    console.print()
    print_table(
        ("worker", "queues", "slots", "up for", "heartbeat", "state"),
        (
            (
                one.name,
                ", ".join(one.queues),
                f"{one.concurrency} ({one.lost_slots} lost)" if one.lost_slots else one.concurrency,
                age(one.started_at),
                f"{age(one.heartbeat_at)} ago",
                "expired" if one.expired else "draining" if one.draining else "working",
            )
            for one in working
        ),
        empty="no worker: start one with `jobqueue worker MODULE:NAME`",
    )
    if leader is not None:
        since = f"since {moment(leader.since)}, for {age(leader.since)}"
        console.print(f"\nleader: {escape(visible(leader.worker))}, {since}")
    elif working and candidacy.absent:
        console.print(
            "\nno leader: due jobs are not promoted, and schedules wait, until a worker takes over"
        )


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("stats")(show_stats)
