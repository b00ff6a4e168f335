"""Schedules beside a worker: placed from code, enqueued in time, followed to their end."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from jobqueue import JobQueue, Retry, current_job
from jobqueue.core.schedules.plan import Due, Plan
from jobqueue.worker.maintenance import schedule as schedule_duty
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


def noting(seen: list[tuple[datetime | None, bool]] | None = None) -> JobQueue:
    jobs = JobQueue()

    @jobs.task
    async def note() -> None:
        job = current_job()
        if seen is not None:
            seen.append((job.scheduled_for, job.is_catch_up))

    return jobs


def insert(books: Books, **columns: Any) -> None:
    """Make a schedule as SQL does."""
    columns = {"name": "s", "task": "note", **columns}
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    books.rows(f"INSERT INTO jobqueue.schedules ({names}) VALUES ({marks})", list(columns.values()))


def ticks(books: Books, state: str | None = None) -> list[tuple[Any, ...]]:
    return books.rows(
        "SELECT tick_at, state, catch_up, job_id, decided_at FROM jobqueue.schedule_ticks "
        "WHERE %s::text IS NULL OR state = %s ORDER BY tick_at",
        [state, state],
    )


def schedule(books: Books, column: str, name: str = "s") -> Any:
    return books.value(f"SELECT {column} FROM jobqueue.all_schedules WHERE name = %s", [name])


def test_each_second_has_one_job_which_knows_its_tick(books: Books) -> None:
    seen: list[tuple[datetime | None, bool]] = []
    jobs = noting(seen)
    jobs.schedule(jobs.tasks["note"], "* * * * * *", name="s")

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: len(seen) >= 4, what="it ran four times", seconds=10)
            await auntil(lambda: len(ticks(books, "completed")) >= 4, what="and that is noted")

    play(scenario())
    decided = ticks(books)
    moments = [row[0] for row in decided]
    assert [after - before for before, after in pairwise(moments)] == [timedelta(seconds=1)] * (
        len(moments) - 1
    )
    assert [one for one, _ in seen] == moments[: len(seen)]
    assert not any(catch_up for _, catch_up in seen)
    assert len({row[3] for row in decided}) == len(decided)
    late = [(row[4] - row[0]).total_seconds() for row in decided]
    assert min(late) >= 0
    assert sorted(late)[len(late) // 2] < 0.1
    assert schedule(books, "last_success_at") is not None


def test_a_job_of_no_schedule_has_no_tick(books: Books) -> None:
    seen: list[tuple[datetime | None, bool]] = []
    jobs = noting(seen)
    jobs.tasks["note"].enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: len(seen) == 1, what="it ran")

    play(scenario())
    assert seen == [(None, False)]


def test_a_schedule_made_or_changed_by_sql_is_taken_notice_of_at_once(books: Books) -> None:
    async def scenario() -> None:
        async with running(noting(), books.url):
            await auntil(lambda: books.rows("SELECT worker FROM jobqueue.leader"), what="it leads")
            insert(books, every_seconds=86_400)
            await auntil(
                lambda: schedule(books, "next_at") is not None, what="it is planned", seconds=2
            )
            books.rows("UPDATE jobqueue.schedules SET every_seconds = 1")
            await auntil(lambda: len(ticks(books)) >= 2, what="by the new rule", seconds=5)
            books.rows("UPDATE jobqueue.schedules SET state = 'paused'")

    play(scenario())


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"cron": "0 0 30 2 *"}, "never fires"),
        ({"cron": "every monday"}, "has 2 fields"),
        ({"cron": "@daily", "timezone": "Europe/Atlantis"}, "unknown"),
    ],
)
def test_a_rule_that_cannot_be_used_breaks_its_schedule_and_no_other(
    books: Books, rule: dict[str, str], problem: str
) -> None:
    insert(books, name="bad", **rule)
    insert(books, every_seconds=1)

    async def scenario() -> None:
        async with running(noting(), books.url):
            await auntil(lambda: schedule(books, "state", "bad") == "broken", what="it is broken")
            assert problem in schedule(books, "problem", "bad")
            await auntil(lambda: len(ticks(books)) >= 2, what="the other goes on")
            books.rows(
                "UPDATE jobqueue.schedules SET cron = '@daily', timezone = 'UTC' WHERE name = 'bad'"
            )
            await auntil(
                lambda: schedule(books, "next_at", "bad") is not None, what="mended, it is planned"
            )
            assert schedule(books, "problem", "bad") is None

    play(scenario())


def test_one_that_cannot_even_be_thought_about_holds_up_no_other(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(due: Due, now: datetime) -> Plan:
        if due.rule.every_seconds == 7:
            raise OverflowError("too far")
        return decide(due, now)

    decide = schedule_duty.plan
    monkeypatch.setattr(schedule_duty, "plan", plan)
    insert(books, name="bad", every_seconds=7)
    insert(books, every_seconds=1)

    async def scenario() -> None:
        async with running(noting(), books.url):
            await auntil(lambda: schedule(books, "state", "bad") == "broken", what="it is broken")
            await auntil(lambda: len(ticks(books)) >= 2, what="the other goes on")

    play(scenario())
    assert schedule(books, "problem", "bad") == "cannot be planned: OverflowError: too far"


@pytest.mark.parametrize(("missed", "jobs_made"), [("skip", 0), ("once", 1), ("all", 5)])
def test_what_was_missed_while_nothing_ran(books: Books, missed: str, jobs_made: int) -> None:
    seen: list[tuple[datetime | None, bool]] = []
    insert(books, every_seconds=86_400, missed=missed)
    books.rows(
        "UPDATE jobqueue.schedules SET next_at = to_timestamp("
        "(floor(extract(epoch FROM now()) / 86400) - 4) * 86400)"
    )

    async def scenario() -> None:
        async with running(noting(seen), books.url):
            await auntil(lambda: len(ticks(books)) == 5, what="all five are decided about")
            await auntil(lambda: books.unfinished() == 0, what="their jobs end")

    play(scenario())
    assert len(seen) == jobs_made
    assert all(catch_up for _, catch_up in seen)
    assert len(ticks(books, "missed")) == 5 - jobs_made
    assert schedule(books, "next_at") > books.value("SELECT now()")


def test_ticks_that_pass_in_a_pause_are_missed(books: Books) -> None:
    insert(books, every_seconds=1, missed_after_seconds=0, missed="skip")

    async def scenario() -> None:
        async with running(noting(), books.url):
            await auntil(lambda: ticks(books), what="it ran")
            books.rows("UPDATE jobqueue.schedules SET state = 'paused'")
            count = len(ticks(books))
            await asyncio.sleep(2.2)
            assert len(ticks(books)) - count <= 1
            books.rows("UPDATE jobqueue.schedules SET state = 'active', every_seconds = 1")
            await auntil(lambda: len(ticks(books)) >= count + 2, what="those are decided about")

    play(scenario())
    moments = [row[0] for row in ticks(books)]
    assert len(moments) == len(set(moments)) == (moments[-1] - moments[0]).total_seconds() + 1


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_runs_that_may_not_overlap(books: Books, overlap: str) -> None:
    jobs = JobQueue()
    at_once: list[int] = []
    running_now = 0
    go_on = asyncio.Event()

    @jobs.task
    async def note() -> None:
        nonlocal running_now
        running_now += 1
        at_once.append(running_now)
        await go_on.wait()
        running_now -= 1

    insert(books, every_seconds=1, overlap=overlap)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: len(ticks(books)) >= 4, what="four ticks", seconds=8)
            assert len(ticks(books, "enqueued")) == 1
            assert len(ticks(books, "waiting")) == (overlap == "queue")
            assert len(ticks(books, "skipped")) >= 2
            books.rows("UPDATE jobqueue.schedules SET state = 'paused'")
            go_on.set()
            ended = 2 if overlap == "queue" else 1
            await auntil(
                lambda: len(ticks(books, "completed")) == ended, what="they end", seconds=8
            )
            assert ticks(books, "waiting") == []

    play(scenario())
    assert max(at_once) == 1


def test_a_moment_runs_once_and_removes_itself(books: Books) -> None:
    seen: list[tuple[datetime | None, bool]] = []
    soon = books.value("SELECT date_trunc('second', now()) + interval '2 seconds'")
    insert(books, at=soon, remove_when_done=True)
    insert(books, name="kept", at=soon)

    async def scenario() -> None:
        async with running(noting(seen), books.url):
            await auntil(lambda: len(seen) == 2, what="both ran", seconds=6)
            await auntil(
                lambda: (
                    books.rows("SELECT name, state FROM jobqueue.schedules")
                    == [("kept", "finished")]
                ),
                what="the one is gone, the other is over",
                seconds=12,
            )

    play(scenario())
    assert {one for one, _ in seen} == {soon}


def test_so_many_jobs_and_no_more(books: Books) -> None:
    insert(books, every_seconds=1, max_runs=2)

    async def scenario() -> None:
        async with running(noting(), books.url):
            await auntil(lambda: schedule(books, "state") == "finished", what="over", seconds=8)
            await auntil(lambda: books.states() == {"completed": 2}, what="two jobs ran")
            books.rows("UPDATE jobqueue.schedules SET max_runs = 3")
            await auntil(lambda: books.states() == {"completed": 3}, what="a third", seconds=6)

    play(scenario())


def test_jitter_puts_jobs_off_and_their_tick_stays(books: Books) -> None:
    seen: list[tuple[datetime | None, bool]] = []
    insert(books, every_seconds=1, max_runs=5, jitter_seconds=2)

    async def scenario() -> None:
        async with running(noting(seen), books.url):
            await auntil(lambda: len(seen) == 5, what="all ran", seconds=15)

    play(scenario())
    delays = books.rows(
        "SELECT extract(epoch FROM job.run_at - tick.tick_at)::float "
        "FROM jobqueue.schedule_ticks AS tick JOIN jobqueue.all_jobs AS job ON job.id = tick.job_id"
    )
    assert max(delay for (delay,) in delays) > 0.3
    assert {one for one, _ in seen} == {row[0] for row in ticks(books)}


def test_failures_are_counted_until_a_success(books: Books) -> None:
    jobs = JobQueue()
    fail = True

    @jobs.task(retry=Retry(attempts=1))
    async def note() -> None:
        if fail:
            raise ValueError("no")

    insert(books, every_seconds=1)

    async def scenario() -> None:
        nonlocal fail
        async with running(jobs, books.url):
            await auntil(lambda: schedule(books, "failures") >= 2, what="failing", seconds=10)
            assert schedule(books, "last_success_at") is None
            fail = False
            await auntil(lambda: schedule(books, "failures") == 0, what="well again", seconds=10)
            assert schedule(books, "last_success_at") is not None

    play(scenario())


def test_a_job_that_leaves_no_trace_is_a_success(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(history=False)
    async def note() -> None: ...

    insert(books, every_seconds=1, max_runs=1)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: len(ticks(books, "forgotten")) == 1, what="ended", seconds=8)

    play(scenario())
    assert schedule(books, "last_success_at") is not None
