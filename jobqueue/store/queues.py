"""Statements about what is decided for queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """A queue, and what is decided for it.

    concurrency: how many of its jobs run at once, by all workers together; None: any number.
    history_days: how long its history is kept; None: as long as workers say.
    max_attempts: where neither the enqueue nor the task says how often; None: 5.
    target_backlog: waiting jobs for each worker; None: nothing is said of scaling, and backlog,
        workers and wanted_workers are None.
    paused_at, reason: since when it is paused, and why.
    """

    name: str
    concurrency: int | None
    history_days: int | None
    max_attempts: int | None
    target_backlog: int | None
    min_workers: int
    max_workers: int | None
    paused_at: datetime | None
    reason: str | None
    backlog: int | None
    workers: int | None
    wanted_workers: int | None


def set_queue(name: str, changes: Mapping[str, int | None]) -> Statement[str]:
    """Decide for a queue, by the names of columns; None takes back what was decided."""
    params = {"name": name, "changes": orjson.dumps(dict(changes)).decode()}
    return Statement(sql("queues/set"), params, first)


def list_queues() -> Statement[QueueRecord]:
    """Find every queue there is, by name."""
    return Statement(sql("queues/list"), {}, lambda row: QueueRecord(*row))
