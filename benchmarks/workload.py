"""The application that is measured: tasks that do nothing but note that they ran."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from benchmarks.runs import RunLog
from jobqueue import Concurrency, JobQueue, RateLimit

RUN_LOG_VARIABLE = "JOBQUEUE_BENCH_RUN_LOG"

SLOW_SECONDS = 0.003
RATE = 5_000
# Some ten milliseconds of Python.
SPINS = 600_000

jobs = JobQueue()


# Opened here, once: threads that opened it at their first run would overwrite each other's entries.
_runs = RunLog(Path(os.environ[RUN_LOG_VARIABLE])) if RUN_LOG_VARIABLE in os.environ else None


def _log() -> RunLog:
    if _runs is None:
        raise RuntimeError(f"{RUN_LOG_VARIABLE}: not set; start the worker through the benchmarks")
    return _runs


def _note(number: int) -> None:
    _log().record(number)


@jobs.task
async def note_run(number: int) -> None:
    """Run on the worker's event loop."""
    _note(number)


@jobs.task
def note_run_in_thread(number: int) -> None:
    """Run in one of the worker's threads."""
    _note(number)


@jobs.task(pool="process")
def note_run_in_process(number: int) -> None:
    """Run in a child process of the worker."""
    _log().record_beside_others(number)


@jobs.task(pool="process")
def spin_in_process(number: int) -> None:
    """Keep a processor busy in a child process."""
    _log().record_beside_others(number)
    for _ in range(SPINS):
        pass


@jobs.task(history=False)
async def note_run_and_forget(number: int) -> None:
    """Run on the event loop, and leave no row behind."""
    _note(number)


@jobs.task
async def note_run_slowly(number: int) -> None:
    """Run on the event loop for a few milliseconds, most of them waiting."""
    _note(number)
    await asyncio.sleep(SLOW_SECONDS)


KEYS = 10_000


@jobs.task(concurrency=Concurrency(1, key="key"))
async def note_run_by_key(number: int, key: int) -> None:  # noqa: ARG001 - read by its limit
    """Run on the event loop, one of each key at once."""
    _note(number)


@jobs.task(rate_limit=RateLimit("bench", RATE))
async def note_run_at_a_rate(number: int) -> None:
    """Run on the event loop, so many a second."""
    _note(number)
