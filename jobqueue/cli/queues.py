"""`jobqueue queues`: what is decided for each queue."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import psycopg
import typer

from jobqueue.cli.options import AsJson, DatabaseUrl
from jobqueue.cli.output import console, print_json, print_table, visible
from jobqueue.cli.session import session
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.names import check_queue_name
from jobqueue.core.policies import MOST, MOST_DAYS, policy_changes
from jobqueue.core.retry import MOST_ATTEMPTS
from jobqueue.store import queues as statements
from jobqueue.store.statement import run

queues = typer.Typer(help="Look at queues, and decide for them.", no_args_is_help=True)


class Policy(StrEnum):
    """What can be decided for a queue."""

    CONCURRENCY = "concurrency"
    HISTORY_DAYS = "history-days"
    ATTEMPTS = "attempts"
    TARGET_BACKLOG = "target-backlog"
    MIN_WORKERS = "min-workers"
    MAX_WORKERS = "max-workers"


@queues.command("list")
def list_(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List queues: what is decided for each, and how many workers it should have."""
    with session(database_url) as execute:
        found = run(execute, statements.list_queues())
    if as_json:
        print_json(found)
        return
    print_table(
        (
            "queue",
            "at once",
            "history",
            "attempts",
            "target backlog",
            "backlog",
            "workers",
            "wanted",
            "paused",
        ),
        (
            (
                one.name,
                one.concurrency,
                None if one.history_days is None else f"{one.history_days} d",
                one.max_attempts,
                one.target_backlog,
                one.backlog,
                one.workers,
                _wanted(one),
                None if one.paused_at is None else (one.reason or "yes"),
            )
            for one in found
        ),
        empty="no queue has been used yet",
    )


@queues.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="The queue's name.", show_default=False)],
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help="Run so many at once, by all workers together."),
    ] = None,
    history_days: Annotated[
        int | None, typer.Option(min=1, max=MOST_DAYS, help="Keep its ended jobs so long.")
    ] = None,
    attempts: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_ATTEMPTS, help="Of its jobs, where enqueue and task say nothing."
        ),
    ] = None,
    target_backlog: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Waiting jobs for each worker.")
    ] = None,
    min_workers: Annotated[int | None, typer.Option(min=0, max=MOST, help="At least.")] = None,
    max_workers: Annotated[int | None, typer.Option(min=1, max=MOST, help="At most.")] = None,
    clear: Annotated[
        list[Policy] | None, typer.Option(help="Take back what was decided. Repeatable.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Decide for a queue: its limit, history, attempts, and the rule by which it is scaled.

    [bold]jobqueue queues set email --target-backlog 100 --max-workers 10[/]
    """
    check_queue_name(name)
    given = {
        Policy.CONCURRENCY: concurrency,
        Policy.HISTORY_DAYS: history_days,
        Policy.ATTEMPTS: attempts,
        Policy.TARGET_BACKLOG: target_backlog,
        Policy.MIN_WORKERS: min_workers,
        Policy.MAX_WORKERS: max_workers,
    }
    policies: dict[str, int | None] = {
        _name(one): value for one, value in given.items() if value is not None
    }
    for one in clear or ():
        if _name(one) in policies:
            raise typer.BadParameter(f"--{one} and --clear {one}: both given; give one of them")
        policies[_name(one)] = None
    if not policies:
        raise typer.BadParameter("nothing to set; see --help for what can be decided")
    changes = policy_changes(name, policies)
    with session(database_url) as execute:
        try:
            run(execute, statements.set_queue(name, changes))
        except psycopg.errors.CheckViolation as error:
            raise ConfigurationError(
                f"queue {name!r}: max_workers is below min_workers; raise it or lower that"
            ) from error
    console.print(f"queue {visible(repr(name))}: set", markup=False, soft_wrap=True)


def _name(policy: Policy) -> str:
    return policy.replace("-", "_")


def _wanted(one: statements.QueueRecord) -> str | None:
    """Show how many workers there should be, within which bounds."""
    if one.wanted_workers is None:
        return None
    most = "" if one.max_workers is None else one.max_workers
    return f"{one.wanted_workers} ({one.min_workers}..{most})"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(queues, name="queues")
