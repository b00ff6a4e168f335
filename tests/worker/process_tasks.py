"""An application whose tasks run in child processes of the worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from jobqueue import JobQueue, Retry, current_job

APPLICATION = "tests.worker.process_tasks:jobs"
ONCE = Retry(attempts=1)

jobs = JobQueue()


@jobs.task(pool="process", returns=True)
def doubled(number: int) -> int:
    return number * 2


@jobs.task(pool="process", returns=True)
async def own_process() -> int:
    return os.getpid()


@jobs.task(pool="process", retry=ONCE)
def sleeps(seconds: float, path: str = "") -> None:
    try:
        time.sleep(seconds)
    finally:
        if path:
            Path(path).write_text("cleaned up")


@jobs.task(pool="process", retry=ONCE)
def never_lets_go() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    time.sleep(60)


@jobs.task(pool="process", retry=ONCE)
def dies() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@jobs.task(pool="process")
def reports() -> None:
    current_job().progress(0.5, "half of it")
    time.sleep(2)


@jobs.task(pool="process")
def pays() -> None:
    with current_job().transaction() as connection:
        connection.execute("SELECT 1")


@jobs.task
async def mail() -> None: ...
