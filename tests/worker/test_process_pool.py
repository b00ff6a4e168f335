"""Tasks with pool="process", in a worker with everything around them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jobqueue import ConfigurationError
from jobqueue.core.settings import WorkerSettings
from jobqueue.store import jobs as statements
from jobqueue.store.statement import run
from jobqueue.worker.worker import Worker
from tests.waiting import auntil
from tests.worker import process_tasks as app
from tests.worker.books import Books
from tests.worker.playing import Running, play, running


@asynccontextmanager
async def at_work(books: Books, **settings: Any) -> AsyncIterator[Running]:
    chosen = {"poll_seconds": 0.2, "grace_seconds": 5.0, "pool_processes": 2, **settings}
    it = Running(
        Worker(
            app.jobs,
            WorkerSettings(**chosen),
            database_url=books.url,
            application=app.APPLICATION,
        )
    )
    try:
        yield it
    finally:
        it.stop()
        it.stop()
        await it.farewell()


def result(books: Books, job: Any) -> Any:
    return books.value("SELECT result FROM jobqueue.job_history WHERE id = %s", [job.id])


def ended(books: Books, **settings: Any) -> None:
    async def scenario() -> None:
        async with at_work(books, **settings):
            await auntil(lambda: books.unfinished() == 0, what="all have ended")

    play(scenario())


def test_they_run_elsewhere_give_results_and_commit_with_their_effects(books: Books) -> None:
    doubles = [app.doubled.enqueue(books.connection, number) for number in range(50)]
    process = app.own_process.enqueue(books.connection)
    paid = app.pays.enqueue(books.connection)
    ended(books)
    assert [result(books, job) for job in doubles] == [2 * number for number in range(50)]
    assert result(books, process) != os.getpid()
    assert books.state(paid) == "completed"
    assert books.value("SELECT count(*) FROM jobqueue.processed_ids") == 1


def test_a_death_is_the_failed_attempt_of_that_job_alone_with_its_signal_named(
    books: Books,
) -> None:
    dead = app.dies.enqueue(books.connection)
    others = [app.doubled.enqueue(books.connection, number) for number in range(20)]
    ended(books)
    [error] = books.job(dead).errors or []
    assert "SIGSEGV" in error["message"]
    assert {(books.job(job).state, books.job(job).attempt) for job in others} == {("completed", 1)}


def test_timeouts_stop_it_by_an_exception_and_then_by_force(books: Books, tmp_path: Path) -> None:
    note = tmp_path / "note"
    gentle = app.sleeps.using(timeout=0.3).enqueue(books.connection, 60, str(note))
    stubborn = app.never_lets_go.using(timeout=0.3).enqueue(books.connection)
    ended(books, stop_seconds=0.5)
    for job in (gentle, stubborn):
        [error] = books.job(job).errors or []
        assert (books.state(job), error["error"]) == ("dead", "TimedOut")
    assert note.read_text() == "cleaned up"


def test_progress_arrives_and_a_cancelled_one_is_cancelled(books: Books) -> None:
    reporting = app.reports.enqueue(books.connection)
    sleeping = app.sleeps.enqueue(books.connection, 60)

    async def scenario() -> None:
        async with at_work(books):
            await auntil(
                lambda: books.rows(
                    "SELECT 1 FROM jobqueue.jobs WHERE progress_message = 'half of it'"
                ),
                what="its progress is told",
            )
            [said] = run(books.execute, statements.cancel(sleeping.id))
            assert said == "asked"
            await auntil(lambda: books.unfinished() == 0, what="all have ended")

    play(scenario())
    assert (books.state(reporting), books.state(sleeping)) == ("completed", "cancelled")


def test_a_worker_that_stops_hands_back_what_its_children_run(books: Books) -> None:
    job = app.sleeps.enqueue(books.connection, 60)

    async def scenario() -> None:
        async with at_work(books, grace_seconds=0.3) as it:
            await auntil(lambda: books.state(job) == "running", what="it runs")
            farewell = await it.stopped()
            assert (farewell.interrupted, farewell.anything_left) == (1, False)

    play(scenario())
    record = books.job(job)
    assert (record.state, record.attempt) == ("available", 0)
    assert (record.errors or [])[0]["error"] == "Interrupted"


def test_no_more_long_jobs_are_held_than_there_are_processes_and_others_pass_them(
    books: Books,
) -> None:
    for _ in range(6):
        app.sleeps.enqueue(books.connection, 0.7)
    app.mail.enqueue_many(books.connection, [{}] * 30)
    held: list[int] = []

    def mails() -> int:
        return books.value("SELECT count(*) FROM jobqueue.jobs WHERE task = 'mail'")

    def sleepers(state: str) -> int:
        return books.value(
            "SELECT count(*) FROM jobqueue.jobs WHERE task = 'sleeps' AND state = %s", [state]
        )

    async def scenario() -> None:
        async with at_work(books):
            await auntil(lambda: not mails(), what="mails do not wait for them")
            assert sleepers("available")
            while books.unfinished():
                held.append(sleepers("running"))
                await asyncio.sleep(0.02)

    play(scenario())
    # Claimed and handed back at once, some may be seen in between.
    assert sorted(held)[len(held) * 9 // 10] <= 2
    assert books.states() == {"completed": 36}


def test_short_jobs_are_left_to_others_while_every_process_has_a_long_one(books: Books) -> None:
    def count(task: str, state: str) -> int:
        return books.value(
            "SELECT count(*) FROM jobqueue.jobs WHERE task = %s AND state = %s", [task, state]
        )

    async def scenario() -> None:
        async with at_work(books):
            app.doubled.enqueue_many(books.connection, [{"number": n} for n in range(60)])
            await auntil(lambda: books.unfinished() == 0, what="they are known as short")
            for _ in range(2):
                app.sleeps.enqueue(books.connection, 30)
            await auntil(lambda: count("sleeps", "running") == 2, what="both processes are busy")
            app.doubled.enqueue_many(books.connection, [{"number": n} for n in range(5)])
            for _ in range(10):
                await auntil(lambda: count("doubled", "available") == 5, what="they are left")
                await asyncio.sleep(0.05)

    play(scenario())


def test_a_worker_that_cannot_know_what_to_import_says_so(books: Books) -> None:
    async def scenario() -> None:
        async with running(app.jobs, books.url):
            pass

    with pytest.raises(ConfigurationError, match="jobqueue worker MODULE:NAME"):
        play(scenario())
