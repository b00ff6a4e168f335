"""Options of the commands about schedules, and how they are told that one is not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NoReturn, cast

import typer

from jobqueue.cli.options import parse_moment, parse_seconds
from jobqueue.cli.output import errors, visible
from jobqueue.core.schedules.definition import MISSED, OVERLAP, ScheduleOptions

Name = Annotated[str, typer.Argument(help="The schedule's name.", show_default=False)]

Cron = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        help="As in '*/15 8-18 * * mon-fri': minute, hour, day, month, day of the week, and second "
        "if there are six; or @daily and the like.",
        show_default=False,
    ),
]
Every = Annotated[
    float | None,
    typer.Option(
        parser=parse_seconds,
        metavar="TIME",
        help="An interval in whole seconds, as in 90, 5m, 2h or 1d.",
        show_default=False,
    ),
]
At = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_moment, metavar="MOMENT", help="A single moment.", show_default=False
    ),
]
Anchor = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_moment,
        metavar="MOMENT",
        help="From where --every counts. Default: the start of 1970, UTC.",
        show_default=False,
    ),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="Whose clocks the pattern means, as in Europe/Berlin. Default: UTC.",
        show_default=False,
    ),
]
Start = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_moment, metavar="MOMENT", help="No tick before it.", show_default=False
    ),
]
End = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_moment, metavar="MOMENT", help="No tick after it.", show_default=False
    ),
]
Count = Annotated[int | None, typer.Option(min=1, help="So many jobs at most.", show_default=False)]
Jitter = Annotated[
    float | None,
    typer.Option(
        parser=parse_seconds,
        metavar="TIME",
        help="Delay each job by a random part of this.",
        show_default=False,
    ),
]
Missed = Annotated[
    str | None,
    typer.Option(
        help="Ticks at which nothing ran: skip, once (one job for all) or all. Default: once.",
        show_default=False,
    ),
]
MissedLimit = Annotated[
    int | None,
    typer.Option(min=1, help="With --missed all: so many, the latest. Default: 100."),
]
MissedAfter = Annotated[
    float | None,
    typer.Option(
        parser=parse_seconds,
        metavar="TIME",
        help="How late a tick is missed, not just late. Default: 60s.",
        show_default=False,
    ),
]
Overlap = Annotated[
    str | None,
    typer.Option(
        help="While the job before has not ended: allow, skip or queue (one). Default: allow.",
        show_default=False,
    ),
]
RemoveWhenDone = Annotated[
    bool | None,
    typer.Option(
        "--remove-when-done/--keep-when-done",
        help="Remove the schedule when no tick is left. Default: keep it.",
        show_default=False,
    ),
]


def given(**options: object) -> ScheduleOptions:
    """Give the options that were given."""
    for name, known in (("missed", MISSED), ("overlap", OVERLAP)):
        value = options.get(name)
        if value is not None and value not in known:
            raise typer.BadParameter(f"--{name} {value!r}: use one of {', '.join(known)}")
    return cast(
        "ScheduleOptions", {name: value for name, value in options.items() if value is not None}
    )


def current(row: Mapping[str, Any]) -> ScheduleOptions:
    """Give a schedule's columns as the options that make it; its rule is not among them."""
    return {
        "tz": row["timezone"],
        "start": row["starts_at"],
        "end": row["ends_at"],
        "count": row["max_runs"],
        "jitter": row["jitter_seconds"],
        "missed": row["missed"],
        "missed_limit": row["missed_limit"],
        "missed_after": row["missed_after_seconds"],
        "overlap": row["overlap"],
        "remove_when_done": row["remove_when_done"],
    }


def unknown(name: str) -> NoReturn:
    """Say that there is no such schedule, and fail."""
    errors.print(
        f"schedule {visible(repr(name))}: unknown; see `jobqueue schedules list`", markup=False
    )
    raise typer.Exit(1)
