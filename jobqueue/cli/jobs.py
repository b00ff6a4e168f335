"""`jobqueue jobs`: list, show, result, cancel, retry."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from jobqueue.cli.options import MOST_ROWS, AsJson, DatabaseUrl, JobId, parse_seconds
from jobqueue.cli.output import console, errors, print_job, print_jobs, print_json
from jobqueue.cli.session import session
from jobqueue.client.waiting import Wait, result_of
from jobqueue.core.states import State
from jobqueue.core.why import WAITING, why
from jobqueue.store import jobs as statements
from jobqueue.store.statement import Statement, run

jobs = typer.Typer(help="Look at jobs, cancel them, run them now.", no_args_is_help=True)


@jobs.command("list")
def list_(
    database_url: DatabaseUrl = None,
    state: Annotated[State | None, typer.Option(help="Only in this state.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    task: Annotated[str | None, typer.Option(help="Only of this task.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs in every state, the newest first."""
    wanted = statements.list_jobs(state=state, queue=queue, task=task, limit=limit)
    with session(database_url) as execute:
        found = run(execute, wanted)
    if as_json:
        print_json(found)
    else:
        print_jobs(found, empty="no jobs")


@jobs.command()
def show(job_id: JobId, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Show everything about one job: its errors and tracebacks, and why it does not run yet."""
    with session(database_url) as execute:
        found = run(execute, statements.show(job_id))
        facts = run(execute, statements.why(job_id))
    if not found:
        errors.print(f"job {job_id}: unknown; it never was, or its history was dropped")
        raise typer.Exit(1)
    reasons = why(facts[0]) if facts and facts[0].state in WAITING else []
    if as_json:
        print_json({**asdict(found[0]), "why": [one._asdict() for one in reasons]})
    else:
        print_job(found[0], reasons)


@jobs.command()
def result(
    job_id: JobId,
    database_url: DatabaseUrl = None,
    wait: Annotated[
        float,
        typer.Option(parser=parse_seconds, metavar="TIME", help="Wait so long for it to end."),
    ] = 0.0,
) -> None:
    """Print what a job returned, as JSON, if its task keeps that."""
    waiting = Wait(job_id, wait, keeps_result=lambda _: True)
    with session(database_url) as execute:
        print_json(result_of(job_id, waiting.run(execute)))


@jobs.command()
def cancel(job_id: JobId, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Cancel a job that waits, or ask one that runs to stop."""
    _act(database_url, job_id, statements.cancel(job_id), as_json)


@jobs.command()
def retry(job_id: JobId, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Run a waiting job now, without its delay, or put a dead one back."""
    _act(database_url, job_id, statements.retry(job_id), as_json)


ANSWERS = {
    "cancelled": "cancelled",
    "asked": "asked: it runs, and its worker stops it; see how it ends with `jobqueue jobs show`",
    "available": "available: runs as soon as a worker is free",
    "redriven": "redriven: a dead letter no more, with fresh attempts",
    "running": "running: a worker has it; wait until this attempt ends",
    "blocked": "blocked: needs something else to be done first",
    "waiting": "waiting: parked until its time or event comes",
    "gated": "gated: waits for its limit; see why, and until about when, with `jobqueue jobs show`",
    "ended": "ended: nothing to be done; see `jobqueue jobs show`",
    "unknown": "unknown: it never was, or its history was dropped",
}


def _act(url: str | None, job_id: UUID, statement: Statement[str], as_json: bool) -> None:
    """Do it and say what came of it; exit 1 if nothing did."""
    with session(url) as execute:
        [answer] = run(execute, statement)
    if as_json:
        print_json({"id": job_id, "answer": answer})
    else:
        console.print(f"job {job_id}: {ANSWERS[answer]}", soft_wrap=True)
    if answer in {"running", "blocked", "waiting", "gated", "ended", "unknown"}:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(jobs, name="jobs")
