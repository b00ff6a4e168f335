"""Workers are killed all the time; each job's effect is there exactly once all the same.

JOBQUEUE_TEST_EFFECTS is the number of jobs: 600 if it is not set.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.processes import Crew, WorkerProcess
from tests.waiting import DEADLINE_SECONDS
from tests.worker.books import Books

JOBS = int(os.environ.get("JOBQUEUE_TEST_EFFECTS", "600"))
BETWEEN_KILLS_SECONDS = 0.2
# At least; without it workers on a slow machine would die faster than they work.
BETWEEN_KILLS_JOBS = 10
WORKERS = 2
# One that is killed before it has claimed anything has made no effect to be repeated.
STARTED = "serves default"
ATTEMPTS = 32767
# So that there is always one in the middle of its block.
SECONDS_A_JOB = 0.01

APPLICATION = f"""
import asyncio
import time

from jobqueue import JobQueue, Retry, current_job

jobs = JobQueue()
ADD = "UPDATE counter SET effects = effects + 1 WHERE part = %s"


@jobs.task(retry=Retry(attempts={ATTEMPTS}, backoff=lambda attempt: 0))
async def add(number: int) -> None:
    async with current_job().transaction() as connection:
        await connection.execute(ADD, [number % 50])
        await asyncio.sleep({SECONDS_A_JOB})


@jobs.task(retry=Retry(attempts={ATTEMPTS}, backoff=lambda attempt: 0))
def add_in_a_thread(number: int) -> None:
    with current_job().transaction() as connection:
        connection.execute(ADD, [number % 50])
        time.sleep({SECONDS_A_JOB})
"""


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    it = Crew(tmp_path)
    (tmp_path / "app.py").write_text(APPLICATION)
    try:
        yield it
    finally:
        it.end()


def prepare(books: Books) -> None:
    """Make a counter in parts, so that not every job waits for every other, and the jobs."""
    books.rows("CREATE TABLE counter (part integer PRIMARY KEY, effects integer NOT NULL)")
    books.rows("INSERT INTO counter SELECT part, 0 FROM generate_series(0, 49) AS part")
    for task, first in (("add", 0), ("add_in_a_thread", 1)):
        books.rows(
            "SELECT jobqueue.enqueue_many_v1(%s, "
            "(SELECT jsonb_agg(jsonb_build_object('number', n)) "
            "FROM generate_series(%s::int, %s, 2) n), max_attempts => %s)",
            [task, first, JOBS - 1, ATTEMPTS],
        )


def start(books: Books, crew: Crew) -> WorkerProcess:
    return crew.start(books.url, "--lease", "1s", "--concurrency", "20")


def test_each_effect_is_made_once_while_workers_are_killed_every_200_ms(
    books: Books, crew: Crew
) -> None:
    prepare(books)
    workers = [start(books, crew) for _ in range(WORKERS)]
    kills = 0
    left_at_kill = JOBS
    deadline = time.monotonic() + DEADLINE_SECONDS * 3 + JOBS / 5
    while left := books.unfinished():
        assert time.monotonic() < deadline, f"{left} jobs left after {kills} kills"
        # The beat of the kills, not a wait for something.
        time.sleep(BETWEEN_KILLS_SECONDS)
        at = kills % WORKERS
        if STARTED in workers[at].log and left <= left_at_kill - BETWEEN_KILLS_JOBS:
            workers[at].signal(signal.SIGKILL)
            assert workers[at].exit_code() == -signal.SIGKILL
            workers[at] = start(books, crew)
            left_at_kill = left
            kills += 1
    assert books.states() == {"completed": JOBS}
    assert books.value("SELECT sum(effects) FROM counter") == JOBS
    assert books.value("SELECT count(*) FROM jobqueue.processed_ids") == JOBS
    assert kills >= min(5, JOBS // 100)
    # It was no mere luck: jobs were interrupted, and run again. Some workers die with none.
    assert books.value("SELECT count(*) FROM jobqueue.job_history WHERE attempt > 1") > kills // 2
