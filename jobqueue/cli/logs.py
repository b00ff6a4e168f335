"""How a worker logs: its options, and setting it up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from jobqueue.client.queue import JobQueue
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.settings import parse_share
from jobqueue.observe.logs.install import Handler, LogFormat, install
from jobqueue.observe.logs.redaction import Redaction
from jobqueue.worker.application import load_attribute


def parse_logged(text: str) -> float | None:
    """Read `all`, `10%` or `failed` as a share; None: `auto`."""
    if text == "auto":
        return None
    try:
        return parse_share(text)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None


LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        envvar="JOBQUEUE_LOG_FORMAT",
        show_envvar=True,
        help="How the log is written: as text on a terminal and as JSON elsewhere, or one of them.",
    ),
]
LogJobs = Annotated[
    float | None,
    typer.Option(
        parser=parse_logged,
        metavar="[auto|all|N%|failed]",
        envvar="JOBQUEUE_LOG_JOBS",
        show_envvar=True,
        show_default="auto",
        help="Which attempts have a line in the log: all, those that fail and N% of the others, or "
        "those that fail; auto is all of them until 200 complete in a second.",
    ),
]
Redact = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Hide fields and arguments of this name in the log, as in [bold]*_number[/]. "
        "Repeatable. Passwords, tokens and the like are hidden anyway.",
        show_default=False,
    ),
]
RedactWith = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="A function of a field's name and value, which gives what the log shows of it.",
        show_default=False,
    ),
]


def log_to_stderr(level: str, log_format: LogFormat, process: str | None) -> Handler:
    """Log to stderr, in UTC. process: its name, if others write there as well."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise typer.BadParameter(f"{level!r}: not a level; use debug, info, warning or error")
    return install(number, log_format, process)


def redaction(jobs: JobQueue, names: Iterable[str], rule: str | None) -> Redaction:
    """Give what is to be hidden in the log of this application's worker."""
    function: Callable[[str, Any], Any] | None = None
    if rule is not None:
        function = load_attribute(rule, f"--redact-with {rule!r}")
        if not callable(function):
            raise ConfigurationError(
                f"--redact-with {rule!r}: is a {type(function).__name__}, not a function; write "
                "MODULE:NAME of a function of a name and a value"
            )
    secrets = {name: task.signature.secrets for name, task in jobs.tasks.items()}
    return Redaction(names, function, secrets)
