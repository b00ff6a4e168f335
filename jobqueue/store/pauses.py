"""Statements about what is paused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class PauseRecord:
    """What is paused, since when, and why. kind: `queue` or `task`."""

    kind: str
    name: str
    reason: str | None
    paused_at: datetime


def pause(queue: str | None, task: str | None, reason: str | None) -> Statement[bool]:
    """Pause a queue or a task. The row is whether it was not paused before."""
    params = {"queue": queue, "task": task, "reason": reason}
    return Statement(sql("pauses/pause"), params, first)


def resume(queue: str | None, task: str | None) -> Statement[bool]:
    """Resume a queue or a task. The row is whether it was paused."""
    return Statement(sql("pauses/resume"), {"queue": queue, "task": task}, first)


def list_pauses() -> Statement[PauseRecord]:
    """Find everything that is paused."""
    return Statement(sql("pauses/list"), {}, lambda row: PauseRecord(*row))


def listen() -> Statement[Any]:
    """Hear when that changes."""
    return Statement(sql("pauses/listen"), {}, first)
