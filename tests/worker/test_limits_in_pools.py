"""Limits of tasks that run in threads and in child processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.waiting import auntil
from tests.worker import limited_tasks as app
from tests.worker.books import Books
from tests.worker.limits_kept import Ran, check_concurrency, check_rate
from tests.worker.playing import play, running


def drained(books: Books, **settings: Any) -> None:
    async def scenario() -> None:
        async with running(app.jobs, books.url, application=app.APPLICATION, **settings):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())


def recorded(path: Path) -> list[Ran]:
    lines = [line.split(" ") for line in path.read_text().splitlines()]
    return [
        Ran(int(number), key, float(began), float(ended)) for number, key, began, ended in lines
    ]


@pytest.mark.parametrize("task", [app.paced_in_a_thread, app.paced_in_a_process])
def test_a_rate_is_kept(books: Books, tmp_path: Path, task: Any) -> None:
    path = tmp_path / "notes"
    items = [{"path": str(path), "number": number} for number in range(app.AMOUNT * 3)]
    task.enqueue_many(books.connection, items)
    drained(books, pool_processes=4)
    ran = recorded(path)
    assert sorted(one.job for one in ran) == list(range(app.AMOUNT * 3))
    check_rate(ran, amount=app.AMOUNT, per=app.PER_SECONDS)
    assert books.value("SELECT max(attempt) FROM jobqueue.job_history") == 1


def test_a_rate_is_kept_by_processes_that_are_started_for_its_jobs(
    books: Books, tmp_path: Path
) -> None:
    """Those that were handed over before are not begun together when the processes are there."""
    path = tmp_path / "notes"
    items = [{"path": str(path), "number": number} for number in range(app.SLOW_AMOUNT * 4)]
    app.slowly_paced_in_a_process.enqueue_many(books.connection, items)
    drained(books, pool_processes=4)
    ran = recorded(path)
    assert sorted(one.job for one in ran) == list(range(app.SLOW_AMOUNT * 4))
    check_rate(ran, amount=app.SLOW_AMOUNT, per=1.0)


def test_a_rate_is_kept_by_jobs_that_were_sent_behind_a_long_one(
    books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    items = [{"path": str(path), "number": number} for number in range(app.AMOUNT * 4)]
    app.at_times_long.enqueue_many(books.connection, items)
    drained(books, pool_processes=2)
    ran = recorded(path)
    assert sorted(one.job for one in ran) == list(range(app.AMOUNT * 4))
    check_rate(ran, amount=app.AMOUNT, per=app.PER_SECONDS)


def test_a_job_under_a_rate_gets_a_process_beside_long_jobs_that_never_end(
    books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    app.long_in_a_process.enqueue_many(books.connection, [{"path": str(path)}] * 100)
    app.paced_in_a_process.using(priority="critical").enqueue_many(
        books.connection, [{"path": str(path), "number": number} for number in range(10)]
    )

    async def scenario() -> None:
        async with running(app.jobs, books.url, application=app.APPLICATION, pool_processes=1):
            await auntil(
                lambda: path.exists() and len(recorded(path)) == 10,
                what="those under the rate run",
            )

    play(scenario())
    check_rate(recorded(path), amount=app.AMOUNT, per=app.PER_SECONDS)
    # Each at the next end of a long one, or so: they have the more urgent priority.
    assert books.states()["completed"] < 60


@pytest.mark.parametrize("task", [app.keyed_in_a_thread, app.keyed_in_a_process])
def test_no_key_runs_more_than_its_limit(books: Books, tmp_path: Path, task: Any) -> None:
    path = tmp_path / "notes"
    task.enqueue_many(
        books.connection,
        [{"path": str(path), "number": n, "key": f"k{n % 3}"} for n in range(60)],
    )
    drained(books, pool_processes=4)
    ran = recorded(path)
    assert sorted(one.job for one in ran) == list(range(60))
    check_concurrency(ran, amount=app.AT_ONCE)


@pytest.mark.parametrize("task", [app.holds_in_a_thread, app.holds_in_a_process])
def test_a_hold_stops_everybody_for_so_long(books: Books, tmp_path: Path, task: Any) -> None:
    path = tmp_path / "notes"
    task.enqueue_many(
        books.connection, [{"path": str(path), "number": number} for number in range(30)]
    )
    drained(books, pool_processes=2)
    ran = sorted(recorded(path), key=lambda one: one.began)
    refused = next(one for one in ran if one.job == 0)
    assert len(ran) == 31
    # What had been let through already may still start.
    assert [one for one in ran if 0.3 < one.began - refused.ended < 1.4] == []
    assert books.value("SELECT max(attempt) FROM jobqueue.job_history") == 1
