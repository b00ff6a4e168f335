"""The application under fire: tasks that note every start and every end outside the database."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from uuid import UUID

from jobqueue import (
    Concurrency,
    Constant,
    JobQueue,
    RateLimit,
    Retry,
    Snooze,
    current_job,
)
from jobqueue.client.context import current_attempt
from tests.chaos import notes

FOLDER = Path(os.environ.get("CHAOS_FOLDER", "."))
RUNS = "runs"
SNOOZED = "snoozed"

TABLES = """
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    key text,
    job_id uuid,
    outcome text,
    swept_at timestamptz
);
CREATE INDEX orders_to_sweep ON orders (kind, key) WHERE swept_at IS NULL;
CREATE TABLE effects (job_id uuid PRIMARY KEY, times integer NOT NULL);
"""

COUNT = """
INSERT INTO effects (job_id, times) VALUES (%s, 1)
ON CONFLICT (job_id) DO UPDATE SET times = effects.times + 1
"""
SWEEP = """
UPDATE orders SET swept_at = clock_timestamp()
WHERE kind = %s AND key = %s AND swept_at IS NULL
"""

# A child process of a worker runs jobs in its name. Later its parent may be gone.
IS_CHILD = "jobqueue.worker.processes.child" in sys.orig_argv
WORKER = os.getppid() if IS_CHILD else os.getpid()

# A job may lose many attempts to faults; none may end dead for that alone.
PATIENT = Retry(attempts=1000, backoff=Constant(0.3))
FATAL_ATTEMPTS = 3

API = RateLimit("api", 8, per=1.0, burst=3)
AT_ONCE = 2

jobs = JobQueue()


class Failed(Exception):
    """What a task raises that is meant to fail."""


@contextmanager
def noted() -> Generator[None]:
    """Note the start of an attempt and how it ended.

    handed: when the worker handed it over. A machine that is busy may take its time from there.
    """
    attempt = current_attempt.get()
    handed = notes.now() - (perf_counter() - attempt.began)
    claimed = attempt.job
    what = {"job": claimed.id, "lease": claimed.lease, "attempt": claimed.attempt, "pid": WORKER}
    path = FOLDER / RUNS
    notes.write(path, what="start", handed=handed, **what)
    try:
        yield
    except BaseException as error:
        notes.write(path, what="failed", error=repr(error)[:200], **what)
        raise
    notes.write(path, what="end", **what)


# Whatever happens to the leader, a tick is late at most, and never missed.
@jobs.schedule(every=1, missed="all", missed_limit=10_000, missed_after=3_600)
@jobs.task(retry=PATIENT)
async def tick() -> None:
    with noted():
        await asyncio.sleep(0.002)


@jobs.task(retry=PATIENT)
async def plain(order: UUID) -> None:
    with noted():
        await asyncio.sleep(0.002)


@jobs.task(retry=PATIENT)
def in_a_thread(order: UUID) -> None:
    with noted():
        time.sleep(0.01)


@jobs.task(queue="slow", retry=PATIENT)
async def slow(order: UUID, seconds: float) -> None:
    with noted():
        await asyncio.sleep(seconds)


@jobs.task(queue="slow", retry=PATIENT)
def slow_in_a_thread(order: UUID, seconds: float) -> None:
    with noted():
        time.sleep(seconds)


@jobs.task(pool="process", retry=PATIENT)
def in_a_process(order: UUID) -> None:
    with noted():
        time.sleep(0.01)


@jobs.task(queue="slow", pool="process", retry=PATIENT)
def slow_in_a_process(order: UUID, seconds: float) -> None:
    with noted():
        time.sleep(seconds)


@jobs.task(pool="process", retry=PATIENT)
def effect_in_a_process(order: UUID) -> None:
    with noted(), current_job().transaction() as connection:
        connection.execute(COUNT, [current_job().id])
        time.sleep(0.01)


@jobs.task(retry=PATIENT)
async def effect(order: UUID) -> None:
    with noted():
        async with current_job().transaction() as connection:
            await connection.execute(COUNT, [current_job().id])
            await asyncio.sleep(0.01)


@jobs.task(queue="slow", retry=PATIENT)
async def slow_effect(order: UUID, seconds: float) -> None:
    """Keep the transaction open for a while, so that faults meet it in the middle."""
    with noted():
        async with current_job().transaction() as connection:
            await connection.execute(COUNT, [current_job().id])
            await asyncio.sleep(seconds)


@jobs.task(retry=PATIENT)
def effect_in_a_thread(order: UUID) -> None:
    with noted(), current_job().transaction() as connection:
        connection.execute(COUNT, [current_job().id])
        time.sleep(0.01)


@jobs.task(retry=PATIENT)
async def fails_once(order: UUID) -> None:
    with noted():
        if current_job().attempt == 1:
            raise Failed("the first time")


@jobs.task(retry=Retry(attempts=FATAL_ATTEMPTS, backoff=Constant(0.1)))
async def always_fails(order: UUID) -> None:
    with noted():
        raise Failed("every time")


@jobs.task(retry=PATIENT)
async def snoozes(order: UUID) -> None:
    with noted():
        snoozed = FOLDER / SNOOZED / str(order)
        if not snoozed.exists():
            snoozed.touch()
            raise Snooze(0.5)


@jobs.task(retry=PATIENT)
async def sweep(kind: str, key: str) -> None:
    """Look after every order under a key; an order that met this job must be seen by it."""
    with noted():
        async with current_job().transaction() as connection:
            await connection.execute(COUNT, [current_job().id])
            await connection.execute(SWEEP, [kind, key])


@jobs.task(rate_limit=API, retry=PATIENT)
async def paced(order: UUID) -> None:
    with noted():
        await asyncio.sleep(0.002)


@jobs.task(queue="slow", rate_limit="api", retry=PATIENT)
async def paced_with_others(order: UUID, seconds: float) -> None:
    """Count in the same rate, from a queue whose slots are often taken when its moment comes."""
    with noted():
        await asyncio.sleep(seconds / 10)


@jobs.task(concurrency=Concurrency(AT_ONCE, key="key"), retry=PATIENT)
async def keyed(order: UUID, key: str, seconds: float) -> None:
    with noted():
        await asyncio.sleep(seconds / 20)


@jobs.task(concurrency=Concurrency(1, key="key", ordered=True), retry=PATIENT)
async def ordered(order: UUID, key: str) -> None:
    """Fail at times: the next of its key waits for the last attempt."""
    with noted():
        await asyncio.sleep(0.01)
        if current_job().attempt == 1 and order.int % 4 == 0:
            raise Failed("the first time")
