"""An application whose tasks are under limits and run in threads and in child processes.

Each notes in a file when it began and ended, by a clock that all processes of a machine share.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobqueue import Concurrency, Hold, JobQueue, RateLimit
from jobqueue.client.context import current_attempt

APPLICATION = "tests.worker.limited_tasks:jobs"
AMOUNT = 20
PER_SECONDS = 0.5
AT_ONCE = 2

SLOW_AMOUNT = 5

jobs = JobQueue()
api = RateLimit("api", AMOUNT, per=PER_SECONDS)
at_once = Concurrency(AT_ONCE, key="key", name="keys")


def note(path: str, *words: object) -> None:
    """Append a line, whole even when many processes write."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{' '.join(map(str, words))}\n".encode())
    finally:
        os.close(file)


def run(path: str, number: int, key: str, seconds: float = 0.0) -> None:
    # What a start counts from: the first job in a new process takes some milliseconds to get here.
    began = current_attempt.get().began
    time.sleep(seconds)
    note(path, number, key, began, time.monotonic())


@jobs.task(rate_limit=api)
def paced_in_a_thread(path: str, number: int) -> None:
    run(path, number, "-")


@jobs.task(rate_limit=api, pool="process")
def paced_in_a_process(path: str, number: int) -> None:
    run(path, number, "-")


@jobs.task(rate_limit=RateLimit("slow", SLOW_AMOUNT, per=1.0), pool="process")
def slowly_paced_in_a_process(path: str, number: int) -> None:
    run(path, number, "-")


@jobs.task(rate_limit=api, pool="process")
def at_times_long(path: str, number: int) -> None:
    run(path, number, "-", 0.2 if number % 8 == 7 else 0.0)


@jobs.task(pool="process")
def long_in_a_process(path: str) -> None:
    time.sleep(0.15)
    note(f"{path} long", "ended")


@jobs.task(concurrency=at_once)
def keyed_in_a_thread(path: str, number: int, key: str) -> None:
    run(path, number, key, 0.01)


@jobs.task(concurrency=at_once, pool="process")
def keyed_in_a_process(path: str, number: int, key: str) -> None:
    run(path, number, key, 0.01)


@jobs.task(rate_limit=api)
def holds_in_a_thread(path: str, number: int) -> None:
    holds(path, number)


@jobs.task(rate_limit=api, pool="process")
def holds_in_a_process(path: str, number: int) -> None:
    holds(path, number)


def holds(path: str, number: int) -> None:
    """The first one is refused, once."""
    run(path, number, "-")
    refused = Path(f"{path} refused")
    if number == 0 and not refused.exists():
        refused.touch()
        raise Hold(after=1.5)
