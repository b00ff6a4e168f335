"""The application that is measured: tasks that do nothing but note that they ran."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from benchmarks.runs import RunLog
from jobqueue import JobQueue

RUN_LOG_VARIABLE = "JOBQUEUE_BENCH_RUN_LOG"

jobs = JobQueue()


@cache
def _log() -> RunLog:
    return RunLog(Path(os.environ[RUN_LOG_VARIABLE]))


@jobs.task
async def note_run(number: int) -> None:
    """Run on the worker's event loop."""
    _log().record(number)


@jobs.task
def note_run_in_thread(number: int) -> None:
    """Run in one of the worker's threads."""
    _log().record(number)
