"""A worker is frozen in the middle of a job's transaction; another does the job without it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.system.processes import Crew
from tests.waiting import until
from tests.worker.books import Books

LEASE_SECONDS = 2
# The lease, a second until the rescue, one more if the session ends a moment later, and slack.
LONGEST_SECONDS = LEASE_SECONDS + 5

APPLICATION = """
import asyncio
import os
import time
from pathlib import Path

import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from jobqueue import JobQueue, current_job

jobs = JobQueue()
HERE = Path(__file__).parent
COUNT = "UPDATE counter SET effects = effects + 1"
BY_SQLALCHEMY = sqlalchemy.text(COUNT)


def url(driver):
    return sqlalchemy.make_url(os.environ["SQLALCHEMY_URL"]).set(drivername=f"postgresql+{driver}")


def first():
    try:
        (HERE / "entered").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@jobs.task
async def coroutine() -> None:
    async with current_job().transaction() as connection:
        await connection.execute(COUNT)
        if first():
            while not (HERE / "go_on").exists():
                await asyncio.sleep(0.01)


@jobs.task
def thread() -> None:
    with current_job().transaction() as connection:
        connection.execute(COUNT)
        if first():
            while not (HERE / "go_on").exists():
                time.sleep(0.01)


@jobs.task
def engine() -> None:
    with current_job().transaction(sqlalchemy.create_engine(url("psycopg"))) as connection:
        connection.execute(BY_SQLALCHEMY)
        if first():
            while not (HERE / "go_on").exists():
                time.sleep(0.01)


@jobs.task
async def async_engine() -> None:
    using = create_async_engine(url("asyncpg"))
    async with current_job().transaction(using) as connection:
        await connection.execute(BY_SQLALCHEMY)
        if first():
            while not (HERE / "go_on").exists():
                await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize("task", ["coroutine", "thread", "engine", "async_engine"])
def test_a_job_does_not_wait_for_the_worker_that_is_frozen_in_its_block(
    books: Books, crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    monkeypatch.setenv("SQLALCHEMY_URL", books.url)
    books.rows("CREATE TABLE counter (effects integer NOT NULL)")
    books.rows("INSERT INTO counter VALUES (0)")
    lease = ["--lease", f"{LEASE_SECONDS}s"]
    job_id = books.value("SELECT job_id FROM jobqueue.enqueue_v1(%s)", [task])
    frozen = crew.start(books.url, *lease)
    until((tmp_path / "entered").exists, what="the first is in the middle of it")
    frozen.signal(signal.SIGSTOP)
    try:
        other = crew.start(books.url, *lease)
        until(lambda: "serves" in other.log, what="the other is at work")
        began = time.monotonic()
        until(lambda: books.state(job_id) == "completed", what="the other completes it")
        assert time.monotonic() - began < LONGEST_SECONDS
        assert (books.job(job_id).attempt, books.value("SELECT effects FROM counter")) == (2, 1)
    finally:
        (tmp_path / "go_on").touch()
        frozen.signal(signal.SIGCONT)
    until(lambda: "changed nothing" in frozen.log, what="the thawed worker's word is refused")
    assert books.value("SELECT effects FROM counter") == 1
    assert (frozen.stop(), other.stop()) == (0, 0)
