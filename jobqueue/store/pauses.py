"""Statements about what is paused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class PauseRecord:
    """What is paused, since when, and why. kind: `queue`, `task`, or `key`, of the limit `name`."""

    kind: str
    name: str
    key: str
    reason: str | None
    paused_at: datetime


class Pausable(NamedTuple):
    """What can be paused: a queue, a task, or a key of a limit; the others are None."""

    queue: str | None = None
    task: str | None = None
    limit_name: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        if self.queue is not None:
            return f"queue {self.queue!r}"
        if self.task is not None:
            return f"task {self.task!r}"
        return f"key {self.key!r} of limit {self.limit_name!r}"


def pause(what: Pausable, reason: str | None) -> Statement[bool]:
    """Pause something. The row is whether it was not paused before."""
    return Statement(sql("pauses/pause"), what._asdict() | {"reason": reason}, first)


def resume(what: Pausable) -> Statement[bool]:
    """Resume something. The row is whether it was paused."""
    return Statement(sql("pauses/resume"), what._asdict(), first)


def of_paused_keys(job_ids: Collection[str]) -> Statement[str]:
    """Find the jobs of a worker that are under a key which is paused. Rows: their ids."""
    return Statement(sql("pauses/of_paused_keys"), {"ids": list(job_ids)}, first)


def list_pauses() -> Statement[PauseRecord]:
    """Find everything that is paused."""
    return Statement(sql("pauses/list"), {}, lambda row: PauseRecord(*row))


def listen() -> Statement[Any]:
    """Hear when that changes."""
    return Statement(sql("pauses/listen"), {}, first)
