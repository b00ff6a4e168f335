"""Ugly tasks beside a thousand that behave: `make demo-ugly`.

One worker runs them all. In the end each ugly job has to have its own right verdict, and the
thousand have to be done, once each.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from examples.email_pipeline import database
from examples.email_pipeline.processes import Children, DemoError
from examples.ugly_tasks import app
from jobqueue import Enqueued

FOLDER = Path(".jobqueue/ugly")
WELL_BEHAVED = 1_000
DEADLINE_SECONDS = 180.0
# Shorter than the event loop is blocked.
OPTIONS = ("--lease", "3s", "--grace", "5s", "--queue", "default=40", "--pool-processes", "2")
ADDRESS_SPACE = ("--process-address-space", "4GB")

VERDICT = """
SELECT state, errors -> -1 ->> 'error', attempt FROM jobqueue.all_jobs WHERE id = %s
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the job of an ugly task ended, and how it should have."""

    name: str
    wanted: tuple[str, str | None]
    found: tuple[str, str | None]

    @property
    def right(self) -> bool:
        """Whether it ended as it should."""
        return self.wanted == self.found


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it all. runs: of each well-behaved job. worker: its exit code, and its log."""

    verdicts: list[Verdict]
    runs: Counter[str]
    states: dict[str, int]
    exit_code: int
    log: Path

    @property
    def good(self) -> bool:
        """Whether every sum is right."""
        once = self.runs == Counter(map(str, range(WELL_BEHAVED)))
        ended_well = self.states == {"completed": WELL_BEHAVED} and self.exit_code == 0
        return once and ended_well and all(verdict.right for verdict in self.verdicts)


def play(url: str, folder: Path) -> Result:
    """Run all of them in one worker on the migrated database at `url`."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = folder / app.RUNS.name
    runs.unlink(missing_ok=True)
    with psycopg.connect(url) as connection:
        ugly = _enqueue(connection)
    environment = os.environ | {"JOBQUEUE_DATABASE_URL": url, "UGLY_FOLDER": str(folder)}
    with (
        Children(folder, environment) as children,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        worker = children.start(
            "worker", "jobqueue", "worker", "examples.ugly_tasks.app:jobs", *OPTIONS, *ADDRESS_SPACE
        )
        _wait(connection, children)
        exit_code = worker.stop()
        verdicts = [
            Verdict(one.task.name, (one.state, one.error), _found(connection, job))
            for one, job in ugly
        ]
        names = [task.name for task in app.GOOD]
        rows = connection.execute(
            "SELECT state, count(*) FROM jobqueue.all_jobs WHERE task = ANY (%s) GROUP BY state",
            [names],
        )
        states = dict(rows.fetchall())
    return Result(verdicts, Counter(runs.read_text().split()), states, exit_code, worker.log)


def _enqueue(connection: psycopg.Connection[Any]) -> list[tuple[app.Ugly, Enqueued]]:
    """Enqueue the thousand with the ugly ones spread among them."""
    ugly: list[tuple[app.Ugly, Enqueued]] = []
    waiting = list(app.UGLY)
    every = WELL_BEHAVED // len(waiting)
    for number in range(WELL_BEHAVED):
        app.GOOD[number % len(app.GOOD)].enqueue(connection, number)
        if number % every == 0 and waiting:
            one = waiting.pop(0)
            ugly.append((one, one.task.enqueue(connection)))
    return ugly


def _wait(connection: psycopg.Connection[Any], children: Children) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        row = connection.execute("SELECT count(*) FROM jobqueue.jobs").fetchone()
        if row == (0,):
            return
        children.check()
        if time.monotonic() > deadline:
            raise DemoError(f"jobs left after {DEADLINE_SECONDS:g} s: {row and row[0]}")
        time.sleep(0.1)


def _found(connection: psycopg.Connection[Any], job: Enqueued) -> tuple[str, str | None]:
    row = connection.execute(VERDICT, [job.id]).fetchone()
    return ("gone", None) if row is None else (row[0], row[1])


def main() -> int:
    """Play, show the verdicts, and give the exit code: 0 if every one is right."""
    console = Console(highlight=False)
    with database.fresh(FOLDER / "postgres") as url:
        result = play(url, FOLDER)
    table = Table("task", "wanted", "found")
    for verdict in result.verdicts:
        wanted, found = (" ".join(filter(None, one)) for one in (verdict.wanted, verdict.found))
        table.add_row(verdict.name, wanted, found, style="" if verdict.right else "bold red")
    console.print(table)
    more = sum(1 for times in result.runs.values() if times > 1)
    console.print(
        f"well-behaved jobs: {result.states}; run more than once: {more}; "
        f"the worker's exit code: {result.exit_code}; its log: {result.log}"
    )
    console.print("[bold green]All as it should be.[/]" if result.good else "[bold red]WRONG[/]")
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
