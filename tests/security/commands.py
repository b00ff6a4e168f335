"""Every command and option there is, found by walking the command line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints
from uuid import UUID

import typer.main

from jobqueue.cli.main import app
from tests.security.words import NOBODY

ANYBODY = "anybody"
"""Name of a schedule that is there."""

# What a command needs to be complete, in its own order. Where there is nothing to lose by it: no
# job has that id, and no dead letter is in a queue of that name.
BASES: dict[str, list[str]] = {
    "migrate": [],
    "grants": ["--role", "nobody", "--for", "read"],
    "dev": ["status"],
    "dev start": [],
    "dev stop": [],
    "dev status": [],
    "dev psql": [],
    "worker": ["shop:jobs", "--no-maintenance", "--connect-timeout", "0"],
    "enqueue": ["greet", '{"name": "Ada"}'],
    "stats": [],
    "doctor": [],
    "exporter": ["--port", "127.0.0.1:0"],
    "health": ["--metrics-port", "127.0.0.1:1"],
    "jobs list": [],
    "jobs show": [NOBODY],
    "jobs result": [NOBODY],
    "jobs cancel": [NOBODY],
    "jobs retry": [NOBODY],
    "dead list": [],
    "dead show": [NOBODY],
    "dead edit": [NOBODY, "{}"],
    "dead redrive": [NOBODY],
    "dead purge": [NOBODY, "--yes"],
    "limits list": [],
    "limits set": ["nobody's", "--concurrency", "5"],
    "limits remove": ["nobody's"],
    "limits hold": ["nobody's", "5m"],
    "limits release": ["nobody's"],
    "limits queue": ["nobody's", "5"],
    "pause": ["--queue", "nobody's"],
    "resume": ["--queue", "nobody's"],
    "paused": [],
    "queues list": [],
    "queues set": ["nobody's", "--history-days", "5"],
    "schedules list": [],
    "schedules show": [ANYBODY],
    "schedules next": [],
    "schedules add": ["another", "greet", "{}"],
    "schedules update": [ANYBODY],
    "schedules pause": [ANYBODY],
    "schedules resume": [ANYBODY],
    "schedules remove": ["nobody", "--yes"],
    "schedules run-now": [ANYBODY],
    "schedules backfill": [ANYBODY, "--from", "2026-01-01T00:00Z", "--to", "2026-01-03T00:00Z"],
}
# Beside the base, so that an option has something to work on.
WITH: dict[tuple[str, str], list[str]] = {
    ("grants", "--role"): ["--run"],
    ("grants", "--database-url"): ["--run"],
    ("migrate", "--downgrade-to"): ["--check"],
    ("enqueue", "--import"): ["--app", "shop:jobs"],
    ("dead redrive", "--queue"): ["--rate", "1000"],
    ("dead redrive", "--rate"): ["--queue", "nobody's"],
    **{
        (command, option): ["--cron", "@daily"]
        for command, options in (
            ("schedules next", ("--tz", "--start", "--end", "--count", "-n", "--json")),
            (
                "schedules add",
                (
                    *("name", "task", "arguments"),
                    *("--tz", "--start", "--end", "--count", "--jitter", "--missed", "--overlap"),
                    *("--missed-limit", "--missed-after", "--remove-when-done", "--queue"),
                    *("--keep-when-done", "--priority", "--attempts", "--database-url"),
                ),
            ),
        )
        for option in options
    },
    ("limits set", "--burst"): ["--rate", "5/1s"],
    ("pause", "--limit"): ["--key", "nobody's"],
    ("pause", "--key"): ["--limit", "nobody's"],
    ("resume", "--limit"): ["--key", "nobody's"],
    ("resume", "--key"): ["--limit", "nobody's"],
    ("schedules next", "--anchor"): ["--every", "1h"],
    ("schedules add", "--anchor"): ["--every", "1h"],
    ("schedules update", "--anchor"): ["--every", "1h"],
}
# These name dead letters another way, instead of the base's id.
FILTERS = {"--queue", "--task", "--before", "--rate", "--all"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One option or argument of one command. kind: of the values it takes."""

    command: str
    name: str
    kind: str
    position: int | None
    flag: bool

    def __str__(self) -> str:
        return f"{self.command} {self.name}"

    def arguments(self, value: str) -> list[str]:
        """Give the whole command with this parameter as `value`."""
        base = list(BASES[self.command])
        if self.position is not None:
            base[self.position : self.position + 1] = [value]
            return [*self.command.split(), *base, *WITH.get((self.command, self.name), [])]
        if self.command in {"dead redrive", "dead purge"} and self.name in FILTERS:
            base = base[1:]
        if self.name in base:
            place = base.index(self.name)
            del base[place : place + 2]
        more = WITH.get((self.command, self.name), [])
        given = [f"{self.name}={value}"] if self.flag else [self.name, value]
        if self.command == "dev":
            return ["dev", *given, *base]
        return [*self.command.split(), *base, *more, *given]


def commands() -> Iterator[tuple[str, Any]]:
    """Give every command with its name, and groups that do something by themselves."""
    # typer brings a click of its own, or uses the one there is: only what both have is used here.
    yield from _commands(typer.main.get_command(app), "")


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in sorted(group.commands.items()):
        full = f"{path} {name}".strip()
        if not hasattr(command, "commands"):
            yield full, command
            continue
        if command.params:
            yield full, command
        yield from _commands(command, full)


def parameters() -> list[Parameter]:
    """Find every parameter of every command."""
    found: list[Parameter] = []
    for name, command in commands():
        # The functions' own annotations: how typer keeps a type is another matter in each release.
        hints = get_type_hints(inspect.unwrap(command.callback))
        places = 0
        for one in command.params:
            hint = hints[one.name]
            if one.param_type_name == "argument":
                found.append(Parameter(name, one.name, _kind(one, hint), places, flag=False))
                places += 1
            else:
                found += [
                    Parameter(name, option, _kind(one, hint), None, flag=hint is bool)
                    for option in (*one.opts, *one.secondary_opts)
                ]
    return found


KINDS = {
    "JSON": "json",
    "[JSON]": "json",
    "TIME": "time",
    "MODULE": "module",
    "MODULE:NAME": "module",
}
TYPES = {UUID: "id", datetime: "moment", int: "number", float: "number", Path: "path"}


def _kind(one: Any, hint: Any) -> str:
    if "--database-url" in one.opts:
        return "url"
    parts = {hint, *get_args(hint), *(part for inner in get_args(hint) for part in get_args(inner))}
    by_type = next((kind for type_, kind in TYPES.items() if type_ in parts), "text")
    return KINDS.get(one.metavar or "", by_type)
