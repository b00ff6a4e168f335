"""`jobqueue doctor`: what is wrong, and what to do."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from typing import Annotated

import typer
from rich.markup import escape

from jobqueue.cli.options import AsJson, DatabaseUrl, parse_seconds
from jobqueue.cli.output import console, errors, print_json, visible
from jobqueue.core.errors import DatabaseUnavailable, DatabaseUrlError, one_line
from jobqueue.doctor import Limits, Report, examine
from jobqueue.doctor.check import checks

DEFAULTS = Limits()


class Health(IntEnum):
    """The exit codes of this command."""

    HEALTHY = 0
    PROBLEMS = 1
    CANNOT_LOOK = 2


def doctor(
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="Make this check, and no others. Repeatable."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="Leave this check out. Repeatable."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            parser=parse_seconds,
            metavar="TIME",
            help="How long one question to the database may take.",
        ),
    ] = DEFAULTS.statement_seconds,
    snapshot_age: Annotated[
        float,
        typer.Option(
            parser=parse_seconds, metavar="TIME", help="From which age on a snapshot is old."
        ),
    ] = DEFAULTS.snapshot_seconds,
    waiting_time: Annotated[
        float,
        typer.Option(
            parser=parse_seconds, metavar="TIME", help="How long a job may wait for a slot."
        ),
    ] = DEFAULTS.waiting_seconds,
    names: Annotated[bool, typer.Option("--list", help="List the checks.")] = False,
) -> None:
    """Say what is wrong with the database and the fleet, with the evidence and the remedy.

    It only reads, and costs little also beside ten million jobs. Exit code 0: healthy; 1: there are
    problems; 2: it could not look, or not at everything, and found nothing in the rest.
    """
    if names:
        for one in checks().values():
            typer.echo(f"{one.name:<12} {one.why}")
        return
    limits = replace(
        DEFAULTS,
        statement_seconds=timeout,
        snapshot_seconds=snapshot_age,
        waiting_seconds=waiting_time,
    )
    try:
        report = examine(database_url, limits=limits, only=only or (), skip=skip or ())
    except (DatabaseUrlError, DatabaseUnavailable) as error:
        if as_json:
            print_json({"healthy": None, "cannot_look": one_line(error)})
        else:
            errors.print(f"[bold red]cannot look:[/] {escape(visible(one_line(error)))}")
        raise typer.Exit(Health.CANNOT_LOOK) from None
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report)
    raise typer.Exit(_health(report))


def _health(report: Report) -> Health:
    if report.problems:
        return Health.PROBLEMS
    return Health.CANNOT_LOOK if report.unseen else Health.HEALTHY


def _as_json(report: Report) -> dict[str, object]:
    why = {result.check: result.why for result in report.results}
    return {
        "healthy": report.healthy,
        "problems": [
            {
                "check": name,
                "what": one.what,
                "why": why[name],
                "evidence": one.evidence,
                "remedies": one.remedies,
            }
            for name, one in report.problems
        ],
        "unseen": [
            {"check": name, "reason": one.reason, "remedy": one.remedy}
            for name, one in report.unseen
        ],
        "checks": list(why),
    }


def _print(report: Report) -> None:
    for result in report.results:
        for problem in result.problems:
            _say("bold red", result.check, problem.what)
            _line("why", result.why)
            _line("seen", ", ".join(f"{name}={value}" for name, value in problem.evidence.items()))
            for remedy in problem.remedies:
                _line("do", remedy)
            console.print()
        if result.unseen:
            _say("bold yellow", result.check, f"not seen: {result.unseen.reason}")
            _line("do", result.unseen.remedy)
            console.print()
    looked = f"checks: {len(report.results)}"
    if report.healthy:
        console.print(f"[bold green]healthy[/] ({looked})")
        return
    unseen = f", not or not wholly seen: {len(report.unseen)}" if report.unseen else ""
    console.print(f"problems: {len(report.problems)}{unseen} ({looked})")


def _say(style: str, name: str, what: str) -> None:
    console.print(f"[{style}]{name}[/] {escape(visible(what))}", soft_wrap=True)


def _line(label: str, text: str) -> None:
    console.print(f"  {label:<5}{escape(visible(text))}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(doctor)
