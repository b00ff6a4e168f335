"""`jobqueue schedules`: look at them, make and change them, run them by hand."""

from __future__ import annotations

import typer

from jobqueue.cli.schedules import act, change, look

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    schedules = typer.Typer(
        help="Look after schedules: rules that enqueue jobs.", no_args_is_help=True
    )
    schedules.command("list")(look.list_)
    schedules.command("show")(look.show)
    schedules.command("next")(look.next_)
    schedules.command("add")(change.add)
    schedules.command("update")(change.update)
    schedules.command("pause")(act.pause)
    schedules.command("resume")(act.resume)
    schedules.command("remove")(act.remove)
    schedules.command("run-now")(act.run_now)
    schedules.command("backfill")(act.backfill)
    app.add_typer(schedules, name="schedules")
