"""Many schedules that are due at the same moment, and many ticks that were missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobqueue import JobQueue
from jobqueue.core.schedules.plan import Due, Plan
from jobqueue.core.schedules.rule import Rule
from jobqueue.store.ticks import Found
from jobqueue.worker.maintenance.schedule import MOST_TICKS, plan_all
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

SCHEDULES = 10_000
# Each is planned first, and has its tick some seconds after it was made.
AHEAD_SECONDS = 8


def noting() -> JobQueue:
    jobs = JobQueue()

    @jobs.task
    async def note() -> None: ...

    return jobs


def test_ten_thousand_that_are_due_at_once_have_one_job_each(books: Books) -> None:
    async def scenario() -> None:
        async with running(noting(), books.url, queues={"other": 1}):
            await auntil(lambda: books.rows("SELECT worker FROM jobqueue.leader"), what="it leads")
            moment = books.value(
                "SELECT date_trunc('second', now()) + make_interval(secs => %s)", [AHEAD_SECONDS]
            )
            books.rows(
                "INSERT INTO jobqueue.schedules (name, task, cron, timezone, max_runs) "
                "SELECT 's' || n, 'note', %s, 'Europe/Berlin', 1 FROM generate_series(1, %s) AS n",
                [moment.strftime("%M * * * * %S"), SCHEDULES],
            )
            await auntil(lambda: books.unfinished() == SCHEDULES, what="each has a job", seconds=60)

    play(scenario())
    assert books.rows(
        "SELECT state, count(*), count(DISTINCT schedule_id), count(DISTINCT job_id), "
        "count(DISTINCT tick_at) FROM jobqueue.schedule_ticks GROUP BY state"
    ) == [("enqueued", SCHEDULES, SCHEDULES, SCHEDULES, 1)]
    assert books.rows("SELECT state, count(*) FROM jobqueue.schedules GROUP BY state") == [
        ("finished", SCHEDULES)
    ]
    late = books.value(
        "SELECT extract(epoch FROM max(decided_at - tick_at))::float FROM jobqueue.schedule_ticks"
    )
    assert late < 30


def test_what_many_have_missed_is_made_up_in_portions() -> None:
    """Not in one statement: memory and time of it would have no bound."""
    rule = Rule(every_seconds=1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        Found(
            Due(number, 1, rule, now - timedelta(days=1), now, missed="all", missed_limit=10_000),
            now,
        )
        for number in range(250)
    ]
    [(first, planned)] = plan_all(found).items()
    assert first == found[0].due
    assert isinstance(planned, Plan)
    assert len(planned.ticks) > MOST_TICKS


def test_every_portion_is_carried_out(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobqueue.worker.maintenance.schedule.MOST_TICKS", 10)
    books.rows(
        "INSERT INTO jobqueue.schedules (name, task, every_seconds, missed) "
        "SELECT 's' || n, 'note', 86400, 'all' FROM generate_series(1, 20) AS n"
    )
    books.rows(
        "UPDATE jobqueue.schedules SET next_at = date_trunc('day', now(), 'UTC') - '6 d'::interval"
    )

    async def scenario() -> None:
        async with running(noting(), books.url, queues={"other": 1}):
            await auntil(lambda: books.unfinished() == 20 * 7, what="each tick has a job")

    play(scenario())
    assert books.value("SELECT count(*) FROM jobqueue.schedules WHERE next_at > now()") == 20
