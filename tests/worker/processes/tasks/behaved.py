"""Tasks that do as they should."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from jobqueue import current_job
from jobqueue.client.context import Attempt, current_attempt
from tests.worker.processes.tasks.registry import jobs, note

LOADED_BY = os.getpid()


@jobs.task
def nothing() -> None: ...


@jobs.task
def missing_in_attempt() -> list[str]:
    attempt = current_attempt.get()
    return [name for name in Attempt.__slots__ if not hasattr(attempt, name)]


@jobs.task
def pid() -> list[int]:
    return [os.getpid(), LOADED_BY]


@jobs.task
async def async_pid() -> int:
    await asyncio.sleep(0)
    return os.getpid()


@dataclass
class Point:
    x: int
    y: int


@jobs.task
def rich(at: datetime, who: UUID, point: Point, /, *, text: str = "default") -> list[str]:
    return [at.isoformat(), str(who), f"{point.x},{point.y}", type(point).__name__, text]


@jobs.task
def whoami() -> list[Any]:
    job = current_job()
    return [str(job.id), job.task, job.queue, job.attempt, job.max_attempts]


@jobs.task
async def async_whoami() -> list[Any]:
    await asyncio.sleep(0)
    job = current_job()
    return [str(job.id), job.task, job.queue, job.attempt, job.max_attempts]


loops: list[asyncio.AbstractEventLoop] = []


@jobs.task
async def same_loop() -> bool:
    loops.append(asyncio.get_running_loop())
    return all(loop is loops[0] for loop in loops)


@jobs.task
def noted(path: str, text: str, seconds: float = 0.0) -> None:
    """Note that it began, and take a while."""
    note(path, text)
    time.sleep(seconds)


@jobs.task
def report(path: str) -> bool:
    """Report progress, then wait to be told to stop by word only."""
    current_job().progress(0.25, "a quarter")
    current_job().progress(0.5)
    note(path, "waiting")
    deadline = time.monotonic() + 20
    while not current_job().cancelled and time.monotonic() < deadline:
        time.sleep(0.01)
    return current_job().cancelled
