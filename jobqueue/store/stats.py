"""Statements that count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue in numbers.

    oldest_seconds: how long its oldest available job has been due.
    expired: jobs that had not started by their deadline, in the days that are kept.
    """

    queue: str
    available: int
    scheduled: int
    running: int
    dead: int
    oldest_seconds: float | None
    workers: int
    expired: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue that has available jobs. jobs: counted up to a limit. workers: live, with slots."""

    queue: str
    jobs: int
    oldest_seconds: float
    workers: int
    slots: int


def now() -> Statement[datetime]:
    """Ask the database's clock."""
    return Statement(sql("stats/now"), {}, first)


def queues() -> Statement[QueueStats]:
    """Count each queue, by name."""
    return Statement(sql("stats/queues"), {}, lambda row: QueueStats(*row))


def waiting(most: int) -> Statement[Waiting]:
    """Find the queues that have available jobs, counting so many of each at most. Cheap."""
    return Statement(sql("stats/waiting"), {"most": most}, lambda row: Waiting(*row))
