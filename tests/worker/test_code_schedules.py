"""Schedules that code declares: placed at a worker's start, and dropped when they are gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobqueue import JobQueue
from jobqueue.core.settings import WorkerSettings
from jobqueue.store import ticks
from jobqueue.store.database import executor
from jobqueue.store.statement import run
from jobqueue.worker.worker import Worker
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


def declaring(**schedules: str) -> JobQueue:
    """Give an application with one task and these schedules of it, by name."""
    jobs = JobQueue()

    @jobs.task
    async def work(n: int = 0) -> None: ...

    for name, cron in schedules.items():
        jobs.schedule(work, cron, name=name)
    return jobs


def start(books: Books, jobs: JobQueue, application: str = "shop:jobs") -> None:
    """Start a worker, and stop it when it is in the books."""

    async def scenario() -> None:
        settings = WorkerSettings(maintenance=False)
        worker = Worker(jobs, settings, database_url=books.url, application=application)

        working = asyncio.create_task(worker.run())
        await auntil(books.sleeping, what="it is at work")
        worker.stop()
        await working

    play(scenario())


def states(books: Books) -> dict[str, str]:
    return dict(books.rows("SELECT name, state FROM jobqueue.schedules"))


def change(books: Books, text: str) -> None:
    books.rows(f"UPDATE jobqueue.schedules SET {text}")


def column(books: Books, name: str) -> Any:
    return books.value(f"SELECT {name} FROM jobqueue.schedules")


def test_they_are_placed_once_and_keep_their_state(books: Books) -> None:
    jobs = declaring(daily="@daily")
    start(books, jobs)
    assert books.rows("SELECT cron, source, application, task FROM jobqueue.schedules") == [
        ("@daily", "code", "shop:jobs", "work")
    ]
    change(books, "next_at = now() + interval '3 hours', runs = 7")
    change(books, "state = 'paused'")
    before = books.rows("SELECT * FROM jobqueue.schedules")
    start(books, declaring(daily="@daily"))
    assert books.rows("SELECT * FROM jobqueue.schedules") == before


def test_what_was_changed_by_hand_stays_until_the_code_says_something_else(books: Books) -> None:
    start(books, declaring(s="@daily"))
    change(books, "cron = '@hourly'")
    start(books, declaring(s="@daily"))
    assert column(books, "cron") == "@hourly"
    start(books, declaring(s="@weekly"))
    assert column(books, "cron") == "@weekly"


def test_a_new_rule_is_planned_anew_and_the_count_goes_on(books: Books) -> None:
    start(books, declaring(s="@daily"))
    change(books, "next_at = now(), runs = 7")
    start(books, declaring(s="@hourly"))
    assert books.rows("SELECT cron, next_at, runs FROM jobqueue.schedules") == [
        ("@hourly", None, 7)
    ]


def test_what_the_code_names_no_more_is_dropped_and_said(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    start(books, declaring(a="@daily", b="@daily"))
    start(books, declaring(a="@daily"))
    assert states(books) == {"a": "active", "b": "dropped"}
    assert any("schedule 'b': the code does not declare it" in line for line in caplog.messages)
    start(books, declaring(a="@daily", b="@daily"))
    assert states(books) == {"a": "active", "b": "active"}


def test_what_somebody_paused_stays_so_while_the_code_names_it_no_more(books: Books) -> None:
    start(books, declaring(a="@daily"))
    change(books, "state = 'paused'")
    start(books, declaring())
    start(books, declaring(a="@daily"))
    assert states(books) == {"a": "paused"}


def test_what_is_over_and_to_be_removed_is_not_made_anew_by_the_next_worker(books: Books) -> None:
    jobs = declaring()
    jobs.schedule(jobs.tasks["work"], "* * * * * *", name="twice", count=2, remove_when_done=True)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(
                lambda: (
                    states(books) == {"twice": "finished"} and books.states() == {"completed": 2}
                ),
                what="it is over",
            )
            await auntil(
                lambda: (
                    not books.rows(
                        "SELECT 1 FROM jobqueue.schedule_ticks WHERE finished_at IS NULL"
                    )
                ),
                what="and that is noted",
            )

    def tidied() -> list[str]:
        return run(executor(books.connection), ticks.remove_done())

    play(scenario())
    assert tidied() == []
    play(scenario())
    assert books.states() == {"completed": 2}
    start(books, declaring(), application="")
    assert tidied() == ["twice"]


def test_an_application_without_schedules_drops_its_own(books: Books) -> None:
    start(books, declaring(a="@daily"))
    start(books, declaring())
    assert states(books) == {"a": "dropped"}


def test_other_code_leaves_them_alone(books: Books) -> None:
    start(books, declaring(a="@daily"))
    start(books, declaring(b="@daily"), application="office:jobs")
    assert states(books) == {"a": "active", "b": "active"}


def test_code_that_takes_the_name_of_other_codes_schedule_says_so(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    start(books, declaring(a="@daily"), application="shop:jobs")
    start(books, declaring(a="@daily"), application="office:jobs")
    start(books, declaring(a="@hourly"), application="office:jobs")
    assert not [line for line in caplog.messages if "was declared by" in line]
    start(books, declaring(a="@weekly"), application="shop:jobs")
    assert any("'a': was declared by 'office:jobs'" in line for line in caplog.messages)


@pytest.mark.parametrize("source", ["cli", "sql"])
def test_those_made_by_hand_are_never_touched(
    books: Books, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    books.rows(
        "INSERT INTO jobqueue.schedules (name, task, cron, source) "
        "VALUES ('s', 'x', '@yearly', %s)",
        [source],
    )
    before = books.rows("SELECT * FROM jobqueue.schedules")
    start(books, declaring(s="@daily"))
    start(books, declaring())
    assert books.rows("SELECT * FROM jobqueue.schedules") == before
    assert any(f"was made by {source} and is left as it is" in line for line in caplog.messages)


def test_workers_that_start_at_once_place_each_schedule_once(books: Books) -> None:

    names = {f"s{number}": "@daily" for number in range(30)}

    async def scenario() -> None:
        workers = [
            Worker(declaring(**names), WorkerSettings(), database_url=books.url) for _ in range(4)
        ]
        working = [asyncio.create_task(one.run()) for one in workers]
        await auntil(
            lambda: books.value("SELECT count(*) FROM jobqueue.workers") == 4, what="they started"
        )
        for one in workers:
            one.stop()
        await asyncio.gather(*working)

    play(scenario())
    assert set(states(books)) == set(names)


def test_the_tasks_of_live_workers_are_known(books: Books) -> None:

    books.rows(
        "INSERT INTO jobqueue.schedules (name, task, cron) "
        "VALUES ('known', 'work', '@daily'), ('unknown', 'other', '@daily')"
    )

    async def scenario() -> None:
        worker = Worker(declaring(), WorkerSettings(), database_url=books.url)
        working = asyncio.create_task(worker.run())
        await auntil(books.sleeping, what="it is at work")
        known = "SELECT name, task_known FROM jobqueue.all_schedules ORDER BY name"
        assert books.rows(known) == [("known", True), ("unknown", False)]
        worker.stop()
        await working
        assert books.rows(known) == [("known", False), ("unknown", False)]

    play(scenario())
