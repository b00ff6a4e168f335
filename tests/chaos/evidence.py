"""Everything the checker judges by: the books, the notes, and what was done to whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos import notes
from tests.chaos.application import RUNS
from tests.chaos.happened import Exit, Happened
from tests.chaos.producer import ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Job:
    """A row of one of the three tables. Times are in seconds since 1970."""

    id: str
    table: str
    state: str
    task: str
    attempt: int
    max_attempts: int
    errors: Sequence[Mapping[str, Any]] = ()
    run_at: float = 0.0
    finished_at: float | None = None
    enqueued_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """A business row, with what its enqueue gave."""

    id: str
    kind: str
    job: str | None
    outcome: str | None
    swept_at: float | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """What became of a tick of the schedule that has one each second. at: seconds since 1970."""

    at: float
    job: str | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a producer was told, and when at the latest."""

    order: str
    job: str
    outcome: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt as its process noted it.

    how: `end`, `failed`, or None when it was cut short. handed: when its worker handed it over.
    """

    job: str
    lease: int
    attempt: int
    pid: int
    began: float
    ended: float | None = None
    how: str | None = None
    handed: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it.

    effects: how often each job's effect was made.
    stalls: from when to when the machine itself did not run us, or hardly.
    shared_keys: unique keys under which more than one job was seen waiting.
    stuck: jobs that were seen to stay where they are, in words.
    in_the_books: processes of the workers that the books know at the end; alive: those there are.
    """

    jobs: Sequence[Job] = ()
    orders: Sequence[Order] = ()
    acknowledged: Sequence[Acknowledged] = ()
    ticks: Sequence[Tick] = ()
    effects: Mapping[str, int] = field(default_factory=dict[str, int])
    runs: Sequence[Run] = ()
    happened: Sequence[Happened] = ()
    exits: Sequence[Exit] = ()
    stalls: Sequence[tuple[float, float]] = ()
    shared_keys: Collection[str] = ()
    stuck: Collection[str] = ()
    in_the_books: Collection[int] = ()
    alive: Collection[int] = ()
    lease_seconds: float = 30.0
    grace_seconds: float = 30.0


Violations = list[str]
"""What a rule found broken, each with the ids of those it happened to."""

JOBS = """
SELECT id::text, 'jobs', state, task, attempt, max_attempts, coalesce(errors, '[]'),
       extract(epoch FROM run_at)::double precision, NULL::double precision,
       extract(epoch FROM enqueued_at)::double precision
FROM jobqueue.jobs
UNION ALL
SELECT id::text, 'job_history', state, task, attempt, max_attempts, coalesce(errors, '[]'),
       extract(epoch FROM run_at)::double precision,
       extract(epoch FROM finished_at)::double precision,
       extract(epoch FROM enqueued_at)::double precision
FROM jobqueue.job_history
UNION ALL
SELECT id::text, 'dead_letters', 'dead', task, attempt, max_attempts, coalesce(errors, '[]'),
       extract(epoch FROM run_at)::double precision,
       extract(epoch FROM finished_at)::double precision,
       extract(epoch FROM enqueued_at)::double precision
FROM jobqueue.dead_letters
"""
ORDERS = """
SELECT id::text, kind, job_id::text, outcome, extract(epoch FROM swept_at)::double precision, key
FROM orders
"""
TICKS = """
SELECT extract(epoch FROM tick_at)::double precision, job_id::text
FROM jobqueue.schedule_ticks ORDER BY tick_at
"""
EFFECTS = "SELECT job_id::text, times FROM effects"


@dataclass(frozen=True, slots=True)
class Books:
    """What the database says."""

    jobs: list[Job]
    orders: list[Order]
    effects: dict[str, int]
    ticks: list[Tick]


def read_books(conninfo: str) -> Books:
    with psycopg.connect(conninfo) as connection:
        return Books(
            [Job(*row) for row in connection.execute(JOBS)],
            [Order(*row) for row in connection.execute(ORDERS)],
            dict(connection.execute(EFFECTS).fetchall()),
            [Tick(*row) for row in connection.execute(TICKS)],
        )


def read_runs(folder: Path) -> list[Run]:
    """Join the note of each start with that of its end."""
    return join_runs(notes.read(folder / RUNS))


def join_runs(lines: Iterable[Mapping[str, Any]]) -> list[Run]:
    started: list[Mapping[str, Any]] = []
    ended: dict[tuple[str, int, int], Mapping[str, Any]] = {}
    for line in lines:
        if line["what"] == "start":
            started.append(line)
        else:
            ended[line["job"], line["lease"], line["pid"]] = line
    runs: list[Run] = []
    for line in started:
        end = ended.get((line["job"], line["lease"], line["pid"]))
        runs.append(
            Run(
                *(line[name] for name in ("job", "lease", "attempt", "pid", "at")),
                ended=end["at"] if end else None,
                how=end["what"] if end else None,
                handed=line.get("handed"),
            )
        )
    return sorted(runs, key=lambda run: run.began)


def read_acknowledged(paths: Iterable[Path]) -> list[Acknowledged]:
    return [
        Acknowledged(line["order"], line["job"], line["outcome"], line["at"])
        for path in paths
        for line in notes.read(path)
        if line["what"] == ACKNOWLEDGED
    ]
