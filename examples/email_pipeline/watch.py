"""Watching the pipeline: what is there now, shown until a goal is reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from examples.email_pipeline import record
from examples.email_pipeline.processes import Children, DemoError
from examples.email_pipeline.sign_ups import Plan

DEADLINE_SECONDS = 60.0
LOOK_SECONDS = 0.1
# Between the lines that stand for the bars where there is no terminal.
LINE_SECONDS = 2.0

COUNTS = """
    SELECT (SELECT count(*) FROM users),
           count(*) FILTER (WHERE state = 'running'),
           count(*) FILTER (WHERE state NOT IN ('completed', 'cancelled', 'dead'))
    FROM jobqueue.all_jobs
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is at one moment. welcomed: recipients with a mail."""

    users: int
    welcomed: int
    running: int
    unfinished: int


class Watch:
    """Looks at the database and the mails, and shows progress: bars, or lines if no terminal."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        mails: Path,
        children: Children,
        plan: Plan,
        console: Console,
    ) -> None:
        self._connection = connection
        self._mails = mails
        self._children = children
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._users = self._bars.add_task("signed up", total=plan.users)
        self._welcomed = self._bars.add_task("welcomed", total=plan.reachable)
        self._next_line = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line, above the bars if there are any."""
        self._console.print(text, soft_wrap=True)

    def look(self) -> Sight:
        """Count what is there now."""
        [(users, running, unfinished)] = self._connection.execute(COUNTS).fetchall()
        welcomed = len({mail.recipient for mail in record.read(self._mails)})
        return Sight(users, welcomed, running, unfinished)

    def until(self, goal: str, reached: Callable[[Sight], bool]) -> Sight:
        """Show progress until `reached`.

        Raises DemoError if a process fails meanwhile, or `goal` is not reached in time.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            sight = self.look()
            self._show(sight)
            if reached(sight):
                return sight
            self._children.check()
            if time.monotonic() > deadline:
                raise DemoError(
                    f"{goal}: not reached in {DEADLINE_SECONDS:g} s; it stands at {sight}"
                )
            time.sleep(LOOK_SECONDS)

    def _show(self, sight: Sight) -> None:
        self._bars.update(self._users, completed=sight.users)
        self._bars.update(self._welcomed, completed=sight.welcomed)
        if not self._console.is_terminal and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            self.say(f"  {sight.users} signed up, {sight.welcomed} welcomed")
