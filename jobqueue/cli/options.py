"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import typer

from jobqueue.core.duration import read_seconds
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.json_values import holds_nul
from jobqueue.store.database import URL_VARIABLE

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar=URL_VARIABLE,
        show_envvar=True,
        help="PostgreSQL to use: postgresql://user:password@host:5432/name",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import", metavar="MODULE", help="Import this module too, for its tasks. Repeatable."
    ),
]

MOST_ROWS = 1_000_000


def parse_seconds(text: str | float) -> float:
    """Read `90`, `500ms`, `5m`, `2h` or `1d` as seconds; a default comes as a number."""
    if not isinstance(text, str):
        return text
    try:
        return read_seconds(text)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 date and time that has a time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: not a moment; write it like 2030-01-31T08:00:00+01:00"
        ) from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r}: has no time zone; add Z or +01:00")
    return moment


def parse_arguments(text: str) -> dict[str, Any]:
    """Read a task's arguments: a JSON object."""
    try:
        # Not orjson: a number may have more digits than a machine word.
        values: object = json.loads(text, parse_float=_finite, parse_constant=_finite)
        json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"not JSON ({error}); write '{{\"name\": value}}'") from None
    if holds_nul(json.dumps(values).encode()):
        raise typer.BadParameter("holds the character NUL, which PostgreSQL cannot keep; remove it")
    if not isinstance(values, dict):
        raise typer.BadParameter("not a JSON object; write '{\"name\": value}'")
    return cast("dict[str, Any]", values)


def _finite(text: str) -> float:
    """Read a number, but none that JSON cannot write again."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text}: not a number that JSON can hold")
    return number


def parse_id(text: str) -> UUID:
    """Read a job's id."""
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: not a job's id; copy one from `jobqueue jobs list`"
        ) from None


JobId = Annotated[
    UUID, typer.Argument(parser=parse_id, metavar="ID", help="The job's id.", show_default=False)
]
JobIds = Annotated[
    list[UUID] | None,
    typer.Argument(parser=parse_id, metavar="[ID]...", help="Ids of jobs.", show_default=False),
]
