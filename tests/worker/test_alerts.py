"""Hooks are told of an alert when it starts and when it is over, once, whoever leads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from jobqueue import Alert, AlertRules, ConfigurationError, JobQueue
from jobqueue.worker.maintenance import alert as duty
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running
from tests.worker.test_leader import is_leader

QUICK = replace(
    AlertRules(), depth=3, depth_for=0.3, oldest_for=0.0, no_worker_for=0.3, clear_for=0.3,
    failures_for=0.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and wait for no hook for long."""
    monkeypatch.setattr(duty, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(duty, "TELLING_SECONDS", 0.02)
    monkeypatch.setattr(duty, "HOOK_SECONDS", 0.5)


@pytest.fixture
def told() -> list[Alert]:
    return []


@pytest.fixture
def jobs(told: list[Alert]) -> JobQueue:
    """An application that notes what it is told."""
    return noting(told)


def noting(told: list[Alert]) -> JobQueue:
    jobs = JobQueue()
    jobs.alert_rules = QUICK

    @jobs.task
    async def work() -> None: ...

    @jobs.on_alert
    async def note(alert: Alert) -> None:
        told.append(alert)

    return jobs


def shown(told: list[Alert]) -> list[tuple[str, str, bool]]:
    return [(one.rule.value, one.subject, one.active) for one in told]


def enqueue(books: Books, number: int, queue: str = "elsewhere") -> None:
    books.rows(
        "SELECT jobqueue.enqueue_v1('other', queue => %s) FROM generate_series(1, %s)",
        [queue, number],
    )


def test_a_queue_without_a_worker_is_told_when_it_starts_and_when_it_is_over(
    books: Books, jobs: JobQueue, told: list[Alert]
) -> None:
    async def scenario() -> None:
        async with running(jobs, books.url):
            enqueue(books, 1)
            await auntil(lambda: told, what="the hook is called")
            [began] = told
            assert (began.rule, began.severity, began.subject) == (
                "no_worker", "critical", "elsewhere",
            )  # fmt: skip
            assert began.active
            assert (began.at - began.since).total_seconds() >= 0.3
            assert began.message == "queue 'elsewhere': it has jobs, and no worker serves it"
            await asyncio.sleep(0.5)  # many looks
            assert len(told) == 1
            books.rows("DELETE FROM jobqueue.jobs")
            await auntil(lambda: len(told) == 2, what="it is over")
            assert shown(told)[1] == ("no_worker", "elsewhere", False)
            await auntil(
                lambda: not books.value("SELECT count(*) FROM jobqueue.alerts"),
                what="and forgotten",
            )

    play(scenario())


def test_what_does_not_last_is_told_to_nobody(
    books: Books, jobs: JobQueue, told: list[Alert]
) -> None:
    jobs.alert_rules = replace(QUICK, no_worker_for=30.0)

    async def scenario() -> None:
        async with running(jobs, books.url):
            enqueue(books, 1)
            count = "SELECT count(*) FROM jobqueue.alerts"
            await auntil(lambda: books.value(count) == 1, what="it is noted")
            books.rows("DELETE FROM jobqueue.jobs")
            await auntil(lambda: books.value(count) == 0, what="it is forgotten")
            assert told == []

    play(scenario())


def make_depth(books: Books) -> None:
    enqueue(books, 4, "default")  # of a task that the worker does not have


def make_old(books: Books) -> None:
    enqueue(books, 1, "default")
    books.rows("UPDATE jobqueue.jobs SET run_at = now() - interval '1 hour' WHERE task = 'other'")


def make_dead(books: Books) -> None:
    books.bury("other")


def make_failures(books: Books) -> None:
    books.rows("SELECT jobqueue.make_history_partitions()")
    books.rows(
        "INSERT INTO jobqueue.job_history (id, run_at, enqueued_at, finished_at, priority, "
        "attempt, max_attempts, state, queue, task, args, errors) "
        "SELECT jobqueue.uuid_v7(), now(), now(), now(), 5, 1, 5, 'completed', 'default', 'other', "
        "'{}', CASE WHEN mod(n, 10) = 0 THEN '[{}]'::jsonb END FROM generate_series(1, 50) AS n"
    )


@pytest.mark.parametrize(
    ("make", "rules"),
    [
        (make_depth, {"depth"}),
        (make_old, {"oldest"}),
        (make_dead, {"dead_letters"}),
        (make_failures, {"failures"}),
    ],
)
def test_each_rule_is_told(
    books: Books, jobs: JobQueue, told: list[Alert],
    make: Callable[[Books], None], rules: set[str],
) -> None:  # fmt: skip
    async def scenario() -> None:
        async with running(jobs, books.url):
            make(books)
            await auntil(lambda: {one.rule.value for one in told} >= rules, what="it is told")
            for table in ("jobs", "dead_letters", "job_history"):
                books.rows(f"DELETE FROM jobqueue.{table}")
            await auntil(
                lambda: {one.rule.value for one in told if not one.active} >= rules,
                what="it is over",
            )
            assert {one.subject for one in told} == {"default"}
            assert {one.rule.value for one in told} == rules

    play(scenario())


def test_a_late_schedule_is_told(books: Books, jobs: JobQueue, told: list[Alert]) -> None:
    async def scenario() -> None:
        books.rows(
            "INSERT INTO jobqueue.schedules (name, task, every_seconds) "
            "VALUES ('hourly', 'x', 3600)"
        )
        books.rows("UPDATE jobqueue.schedules SET next_at = now() - interval '3 hours'")
        # Somebody holds the row: the leader cannot carry its tick out.
        with books.connection.transaction():
            books.rows("SELECT FROM jobqueue.schedules FOR UPDATE")
            async with running(jobs, books.url):
                await auntil(lambda: told, what="it is told")
                assert shown(told) == [("schedule_late", "hourly", True)]

    play(scenario())


def test_failures_of_tasks_without_history_are_not_taken_for_the_share_of_all(
    books: Books, jobs: JobQueue, told: list[Alert]
) -> None:
    jobs.alert_rules = replace(QUICK, dead_letters=None)

    @jobs.task(history=False)
    def other() -> None: ...

    async def scenario() -> None:
        make_failures(books)
        async with running(jobs, books.url):
            enqueue(books, 1)
            await auntil(lambda: told, what="the leader has looked")
            assert shown(told) == [("no_worker", "elsewhere", True)]

    play(scenario())


def test_a_new_leader_tells_nothing_again_and_tells_when_it_is_over(
    books: Books, told: list[Alert]
) -> None:
    async def scenario() -> None:
        async with running(noting(told), books.url) as first:
            await auntil(lambda: is_leader(first, books), what="the first leads")
            async with running(noting(told), books.url) as second:
                enqueue(books, 1)
                await auntil(
                    lambda: books.value("SELECT count(*) FROM jobqueue.alerts WHERE told"),
                    what="it is told, and noted",
                )
                await first.stopped()
                await auntil(lambda: is_leader(second, books), what="the second leads")
                seen = books.value("SELECT seen_at FROM jobqueue.alerts")
                await auntil(
                    lambda: books.value("SELECT seen_at FROM jobqueue.alerts") > seen,
                    what="the second has looked",
                )
                assert shown(told) == [("no_worker", "elsewhere", True)]
                books.rows("DELETE FROM jobqueue.jobs")
                await auntil(lambda: len(told) == 2, what="it is over")
                assert shown(told)[1] == ("no_worker", "elsewhere", False)

    play(scenario())


def test_what_a_leader_did_not_get_to_tell_the_next_one_tells(
    books: Books, jobs: JobQueue, told: list[Alert]
) -> None:
    enqueue(books, 1)
    books.rows(
        "INSERT INTO jobqueue.alerts (rule, severity, subject, value, threshold, for_seconds, "
        "started_at) VALUES ('no_worker', 'critical', 'elsewhere', 0, 1, 0.3, now())"
    )

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: told, what="it is told")

    play(scenario())


@pytest.fixture
def released() -> Iterator[threading.Event]:
    it = threading.Event()
    yield it
    it.set()


def test_hooks_that_raise_or_hang_hold_up_neither_the_leader_nor_each_other(
    books: Books, told: list[Alert], released: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()
    jobs.alert_rules = QUICK

    @jobs.task
    async def work() -> None: ...

    @jobs.on_alert
    def hang(alert: Alert) -> None:
        released.wait(30)

    @jobs.on_alert
    async def sleep(alert: Alert) -> None:
        await asyncio.sleep(30)

    @jobs.on_alert
    def leave(alert: Alert) -> None:
        raise SystemExit

    @jobs.on_alert
    async def fail(alert: Alert) -> None:
        raise ValueError("no such address")

    jobs.on_alert(told.append)

    async def scenario() -> None:
        async with running(jobs, books.url):
            enqueue(books, 1)
            await auntil(
                lambda: books.value("SELECT count(*) FROM jobqueue.alerts WHERE NOT told"),
                what="it is an alert",
            )
            began = time.monotonic()
            job = work.using(delay=0.05).enqueue(books.connection)
            await auntil(lambda: books.state(job) == "completed", what="the leader promotes")
            assert time.monotonic() - began < 1.0
            await auntil(lambda: told, what="the last hook is called")
            await auntil(
                lambda: books.value("SELECT count(*) FROM jobqueue.alerts WHERE told"),
                what="it is noted",
            )

    play(scenario())
    for line in (
        "hang': takes longer than 0.5 s; going on",
        "sleep': takes longer than 0.5 s; going on",
        "leave': raised",
        "fail': raised",
    ):
        assert any(line in message for message in caplog.messages), line


def test_a_worker_without_hooks_does_not_look(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    async def work() -> None: ...

    assert duty.alert(jobs) is None


def test_what_cannot_be_a_hook_is_refused() -> None:
    jobs = JobQueue()

    def takes_nothing() -> None: ...

    def generator(alert: Alert) -> Iterator[None]:
        yield

    with pytest.raises(ConfigurationError, match=r"takes_nothing\(alert\)"):
        jobs.on_alert(takes_nothing)
    with pytest.raises(ConfigurationError, match="is a generator"):
        jobs.on_alert(generator)
