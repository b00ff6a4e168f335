"""Deadlines: a job that has not started by then is cancelled, and counted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from jobqueue import ConfigurationError, JobCancelled, JobQueue, Retry, Snooze, Unique, current_job
from jobqueue.worker.maintenance import expire
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

NEVER_DUTY_SECONDS = 60.0


def expired(books: Books) -> int:
    return books.value("SELECT coalesce(sum(jobs), 0)::int FROM jobqueue.expirations")


def test_a_job_that_has_not_started_by_its_deadline_is_cancelled_without_a_worker_of_its_queue(
    books: Books,
) -> None:
    jobs = JobQueue()

    @jobs.task(queue="nobody", returns=True)
    async def work() -> None: ...

    @jobs.task
    async def other() -> None: ...

    late = work.using(expires_in=0.1).enqueue(books.connection)
    scheduled = work.using(delay=0.05, expires_in=0.1).enqueue(books.connection)
    patient = work.using(expires_in=3600).enqueue(books.connection)
    without = work.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(
                lambda: books.state(late) == books.state(scheduled) == "cancelled", what="they go"
            )

    play(scenario())
    assert (books.state(patient), books.state(without)) == ("available", "available")
    record = books.job(late)
    assert record.errors is not None
    assert record.errors[-1]["error"] == "Expired"
    assert (record.attempt, record.started_at, expired(books)) == (0, None, 2)
    with pytest.raises(JobCancelled):
        jobs.result(books.connection, late, timeout=0)


def test_a_worker_starts_none_that_is_too_late_whatever_the_leader_does(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expire.maintenance, "expire", lambda _: pytest.fail("the leader's duty"))
    jobs = JobQueue()
    ran: list[int] = []

    @jobs.task
    async def work(number: int) -> None:
        ran.append(number)

    past = datetime.now(UTC) - timedelta(minutes=1)
    late = [work.using(expires_at=past).enqueue(books.connection, n) for n in range(5)]
    soon = work.using(expires_in=3600).enqueue(books.connection, 9)

    async def scenario() -> None:
        async with running(jobs, books.url, maintenance=False):
            await auntil(lambda: books.unfinished() == 0, what="all have ended")

    play(scenario())
    assert ran == [9]
    assert books.state(soon) == "completed"
    assert {books.state(one) for one in late} == {"cancelled"}
    record = books.job(late[0])
    assert (record.attempt, record.started_at, expired(books)) == (0, None, 5)


def test_one_that_has_started_once_is_tried_again_whenever_it_takes(books: Books) -> None:
    jobs = JobQueue()
    seen: list[str] = []

    @jobs.task(expires_in=0.5, retry=Retry(backoff=lambda _: 1.0, jitter=0))
    async def fails_once() -> None:
        seen.append("fails")
        if current_job().attempt == 1:
            raise ValueError("not yet")

    @jobs.task(expires_in="500ms")
    async def snoozes_once() -> None:
        seen.append("snoozes")
        if seen.count("snoozes") == 1:
            raise Snooze(1)

    first, second = fails_once.enqueue(books.connection), snoozes_once.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="they have ended")

    play(scenario())
    assert (books.state(first), books.state(second)) == ("completed", "completed")
    assert (seen.count("fails"), seen.count("snoozes"), expired(books)) == (2, 2, 0)


def test_what_a_worker_hands_back_unstarted_keeps_its_deadline(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def stalls() -> None:
        await asyncio.sleep(0.4)

    many = [stalls.using(expires_in=3600).enqueue(books.connection) for _ in range(40)]

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 2}):
            await auntil(lambda: books.states().get("completed", 0) >= 2, what="some ran")
            jobs.pause(books.connection, queue="default")
            await auntil(lambda: books.states().get("running", 0) == 0, what="none runs")

    play(scenario())
    waiting = sum(books.state(one) == "available" for one in many)
    kept = books.value("SELECT count(*)::int FROM jobqueue.jobs WHERE expires_at IS NOT NULL")
    assert waiting == kept > 0


def test_the_deadline_of_a_task_holds_for_every_way_to_enqueue(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(expires_in=timedelta(minutes=5))
    def work(n: int = 0) -> None: ...

    @jobs.task
    def patient() -> None: ...

    async def registered() -> None:
        async with running(jobs, books.url, queues={"elsewhere": 1}):
            await auntil(lambda: books.rows("SELECT id FROM jobqueue.workers"), what="it is there")

    play(registered())
    work.enqueue(books.connection)
    work.using(delay=60).enqueue(books.connection)
    work.enqueue_many(books.connection, [{"n": 1}, {"n": 2}])
    with books.connection.transaction():
        work.enqueue_bulk(books.connection, [{"n": 3}])
    work.using(unique=Unique.replace("one")).enqueue(books.connection)
    work.using(idempotency_key="one").enqueue(books.connection)
    books.rows("SELECT jobqueue.enqueue_v1('work')")
    books.rows("SELECT jobqueue.enqueue_v1('work', queue => 'x', priority => 1, max_attempts => 1)")
    books.rows("SELECT jobqueue.enqueue_many_v1('work', '[{}, {}]')")
    books.rows(
        "INSERT INTO jobqueue.schedules (name, task, every_seconds) VALUES ('s', 'work', 60)"
    )
    books.rows("SELECT jobqueue.run_schedule_v1('s')")
    lasts = books.rows(
        "SELECT DISTINCT round(extract(epoch FROM expires_at - run_at)) FROM jobqueue.jobs"
    )
    assert [int(row[0]) for row in lasts] == [300]
    assert books.unfinished() == 12
    books.rows("DELETE FROM jobqueue.jobs")
    work.using(expires_in=None).enqueue(books.connection)
    books.rows("SELECT jobqueue.enqueue_v1('work', expires_at => 'infinity')")
    patient.enqueue(books.connection)
    patient.using(delay=5).enqueue(books.connection)
    assert books.rows("SELECT DISTINCT expires_at FROM jobqueue.jobs") == [(None,)]


def test_a_replaced_job_has_the_deadline_of_the_enqueue_that_replaced_it(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    def work() -> None: ...

    def deadlines() -> list[int | None]:
        found = books.rows(
            "SELECT round(extract(epoch FROM expires_at - run_at))::int FROM jobqueue.jobs"
        )
        return [row[0] for row in found]

    once = work.using(unique=Unique.replace("one"))
    once.using(expires_in=60).enqueue(books.connection)
    assert deadlines() == [60]
    once.using(expires_in=90).enqueue(books.connection)
    assert deadlines() == [90]
    once.enqueue(books.connection)
    assert deadlines() == [None]
    skipping = work.using(unique=Unique.skip("one"), expires_in=5)
    assert skipping.enqueue(books.connection).outcome == "met"
    assert deadlines() == [None]


NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001 - that is what is wrong with it


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"expires_in": -1}, "out of range"),
        ({"expires_in": float("inf")}, "out of range"),
        ({"expires_in": "soon"}, "not a duration"),
        ({"expires_in": True}, "wrong type"),
        ({"expires_at": NAIVE}, "time zone"),
        ({"expires_at": 5}, "wrong type"),
        ({"expires_in": 5, "expires_at": datetime.now(UTC)}, "give one of them"),
        (
            {
                "run_at": datetime(2031, 1, 1, tzinfo=UTC),
                "expires_at": datetime(2030, 1, 1, tzinfo=UTC),
            },
            "would never start",
        ),
    ],
)
def test_a_deadline_that_makes_no_sense_is_refused(options: dict[str, object], said: str) -> None:
    jobs = JobQueue()

    @jobs.task
    def work() -> None: ...

    with pytest.raises(ConfigurationError, match=said):
        work.using(**options)  # pyright: ignore[reportArgumentType] - refused
