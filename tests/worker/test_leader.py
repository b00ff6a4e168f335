"""One worker leads; when it goes another takes over; what the leader does gets done."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from jobqueue import JobQueue
from jobqueue.store import maintenance
from jobqueue.store.maintenance import LEADER_LOCK
from jobqueue.store.statement import run
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import Running, play, running

LEADERS = """
    SELECT held.pid FROM pg_locks AS held
    JOIN pg_database AS here ON here.oid = held.database AND here.datname = current_database()
    WHERE held.locktype = 'advisory' AND held.granted
      AND (held.classid::bigint << 32 | held.objid::bigint) = %s
"""


def leaders(books: Books) -> list[int]:
    """Give the server's processes that hold the leader's lock."""
    return [row[0] for row in books.rows(LEADERS, [LEADER_LOCK])]


def is_leader(it: Running, books: Books) -> bool:
    connection = it.worker._leads._connection
    return connection is not None and leaders(books) == [connection.info.backend_pid]


def noting() -> JobQueue:
    jobs = JobQueue()

    @jobs.task
    async def note() -> None: ...

    return jobs


def test_one_of_several_workers_leads_and_another_takes_over_when_it_stops(books: Books) -> None:
    jobs = noting()
    note = jobs.tasks["note"]

    async def scenario() -> None:
        async with running(jobs, books.url) as first:
            await auntil(lambda: is_leader(first, books), what="the first leads")
            async with running(jobs, books.url) as second, running(jobs, books.url) as third:
                await auntil(
                    lambda: books.value("SELECT count(*) FROM jobqueue.workers") == 3,
                    what="all three are in the books",
                )
                assert is_leader(first, books)
                await first.stopped()
                # Nobody promotes until there is a leader again.
                job = note.using(delay=0.1).enqueue(books.connection)
                await auntil(
                    lambda: books.state(job) == "completed", what="a due job runs", seconds=6
                )
                assert [is_leader(it, books) for it in (second, third)].count(True) == 1

        await auntil(lambda: leaders(books) == [], what="the last one lets go of the lock")

    play(scenario())


def test_a_leader_whose_session_was_ended_steps_down_and_somebody_leads_again(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = noting()

    async def scenario() -> None:
        async with running(jobs, books.url):
            [before] = await auntil(lambda: leaders(books), what="it leads")
            assert books.cut("jobqueue leader") == 1
            await auntil(
                lambda: leaders(books) not in ([], [before]), what="somebody leads", seconds=8
            )
            job = jobs.tasks["note"].using(delay=0.1).enqueue(books.connection)
            await auntil(lambda: books.state(job) == "completed", what="a due job runs")

    play(scenario())
    assert any("leader: no longer" in line for line in caplog.messages)


def test_a_leader_that_drains_hands_over_in_under_a_second(books: Books) -> None:
    jobs = JobQueue()
    go_on = asyncio.Event()

    @jobs.task
    async def wait() -> None:
        await go_on.wait()

    async def scenario() -> None:
        async with running(jobs, books.url, grace_seconds=30) as first:
            await auntil(lambda: is_leader(first, books), what="the first leads")
            job = wait.enqueue(books.connection)
            await auntil(lambda: books.state(job) == "running", what="it has a job")
            async with running(jobs, books.url) as second, running(jobs, books.url) as third:
                await auntil(lambda: len(books.sleeping()) >= 2, what="the others are at work")
                first.stop()
                await auntil(
                    lambda: is_leader(second, books) or is_leader(third, books),
                    what="another leads, while the first still drains",
                    seconds=1.0,
                )
                assert books.state(job) == "running"
                go_on.set()
                await first.farewell()

    play(scenario())


def test_the_books_name_the_leader_and_since_when(books: Books) -> None:
    async def scenario() -> None:
        async with running(noting(), books.url) as first:
            await auntil(lambda: is_leader(first, books), what="it leads")
            found = await auntil(lambda: run(books.execute, maintenance.leader()), what="named")
            assert found[0].worker == first.worker._lease.name
            assert abs((found[0].since - books.value("SELECT now()")).total_seconds()) < 10
        assert run(books.execute, maintenance.leader()) == []

    play(scenario())


def test_a_worker_kept_out_of_maintenance_never_leads(books: Books) -> None:
    jobs = noting()

    async def scenario() -> None:
        async with running(jobs, books.url, maintenance=False):
            job = jobs.tasks["note"].enqueue(books.connection)
            await auntil(lambda: books.state(job) == "completed", what="a job runs")
            assert leaders(books) == []
            async with running(jobs, books.url) as second:
                await auntil(lambda: is_leader(second, books), what="the other leads")

    play(scenario())


def test_delayed_jobs_start_in_about_their_time_and_never_before_it(books: Books) -> None:
    jobs = noting()
    note = jobs.tasks["note"]

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: leaders(books), what="it leads")
            for delay in (0.2, 0.5, 0.9, 0.9, 1.3):
                note.using(delay=delay).enqueue(books.connection)
            note.using(delay=timedelta(hours=1)).enqueue(books.connection)
            await auntil(
                lambda: books.states().get("completed") == 5, what="what is due has run", seconds=8
            )

    play(scenario())
    late = [
        row[0]
        for row in books.rows(
            "SELECT extract(epoch FROM started_at - run_at)::float FROM jobqueue.job_history"
        )
    ]
    assert min(late) >= 0
    assert max(late) < 1.0
    assert books.states() == {"completed": 5, "scheduled": 1}


def test_many_jobs_due_at_once_are_all_promoted(books: Books) -> None:
    jobs = noting()
    note = jobs.tasks["note"]
    note.using(delay=0.2).enqueue_many(books.connection, [{}] * 2500)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert books.states() == {"completed": 2500}


def test_history_is_dropped_by_the_day_and_days_ahead_are_made(books: Books) -> None:
    jobs = noting()

    def day(ago: int) -> str:
        return books.value(
            "SELECT to_char(now() AT TIME ZONE 'UTC' - make_interval(days => %s), 'YYYYMMDD')",
            [ago],
        )

    def days() -> list[str]:
        return [
            row[0]
            for row in books.rows(
                "SELECT right(relname, 8) FROM pg_class "
                "WHERE relname ~ '^job_history_[0-9]{8}$' ORDER BY 1"
            )
        ]

    for ago in (10, 2):
        books.rows(
            f"CREATE TABLE jobqueue.job_history_{day(ago)} PARTITION OF jobqueue.job_history "
            f"FOR VALUES FROM ('{day(ago)} 00:00+00') TO ('{day(ago - 1)} 00:00+00')"
        )
    books.rows(f"DROP TABLE jobqueue.job_history_{day(-7)}")

    async def scenario() -> None:
        async with running(jobs, books.url, history_days=3):
            await auntil(lambda: day(10) not in days(), what="the old day is dropped")
            assert days() == [day(2), *(day(-ahead) for ahead in range(8))]

    play(scenario())
