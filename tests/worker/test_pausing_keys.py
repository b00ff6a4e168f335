"""Pausing a key of a limit: none of it is let through, what was goes back, and all resumes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from jobqueue import Concurrency, ConfigurationError, Constant, JobQueue, RateLimit, Retry
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.limits_kept import Ran, check_order
from tests.worker.playing import play, running

LIMITS: list[dict[str, Any]] = [
    {"concurrency": Concurrency(2, key="customer", name="imports")},
    {"concurrency": Concurrency(1, key="customer", name="imports", ordered=True)},
    {"concurrency": Concurrency(2, key="customer", name="imports", fair=True)},
    {"rate_limit": RateLimit("imports", 100, per=1.0, burst=10, key="customer")},
]


@pytest.fixture
def jobs() -> JobQueue:
    return JobQueue()


def gated(books: Books) -> int:
    return books.states().get("gated", 0)


@pytest.mark.parametrize("limit", LIMITS, ids=["concurrency", "ordered", "fair", "rate"])
def test_a_paused_key_waits_and_the_others_go_on(
    books: Books, jobs: JobQueue, limit: dict[str, Any]
) -> None:
    ran: list[str] = []

    @jobs.task(**limit)
    async def load(customer: str) -> None:
        ran.append(customer)

    assert jobs.pause(books.connection, limit="imports", key="acme", reason="broken files")
    assert not jobs.pause(books.connection, limit="imports", key="acme")
    for _ in range(10):
        load.enqueue(books.connection, "acme")
        load.enqueue(books.connection, "other")

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: ran.count("other") == 10, what="the others go on")
            await auntil(lambda: books.states() == {"completed": 10, "gated": 10}, what="they wait")
            assert jobs.resume(books.connection, limit="imports", key="acme")
            await auntil(lambda: ran.count("acme") == 10, what="they run", seconds=3.0)
            await auntil(lambda: books.unfinished() == 0, what="all are done")

    play(scenario())
    assert not jobs.resume(books.connection, limit="imports", key="acme")
    assert {row[0] for row in books.rows("SELECT attempt FROM jobqueue.job_history")} == {1}


@pytest.mark.parametrize(
    "limit",
    [
        {"concurrency": Concurrency(100, key="customer", name="imports")},
        {"concurrency": Concurrency(100, key="customer", name="imports", fair=True)},
        LIMITS[3],
    ],
    ids=["concurrency", "fair", "rate"],
)
def test_a_key_paused_while_it_runs_begins_no_more_and_what_is_in_hand_goes_back(
    books: Books, jobs: JobQueue, limit: dict[str, Any]
) -> None:
    began: list[float] = []

    @jobs.task(**limit)
    async def load(customer: str) -> None:
        began.append(time.monotonic())
        await asyncio.sleep(0.05)

    with books.connection.transaction():
        for _ in range(300):
            load.enqueue(books.connection, "acme")

    async def scenario() -> float:
        # Far more are let through than there are slots.
        async with running(jobs, books.url, queues={"default": 2}):
            await auntil(lambda: len(began) >= 10, what="some run")
            jobs.pause(books.connection, limit="imports", key="acme")
            at = time.monotonic()
            await auntil(
                lambda: gated(books) + books.states().get("completed", 0) == 300,
                what="all are back at the gate",
            )
            await asyncio.sleep(0.3)
            return at

    paused_at = play(scenario())
    assert max(began) < paused_at + 1
    assert books.states() == {"completed": len(began), "gated": 300 - len(began)}
    assert books.rows("SELECT DISTINCT attempt, holds FROM jobqueue.jobs") == [(0, None)]


def test_a_job_that_retries_under_a_paused_ordered_key_keeps_its_place(
    books: Books, jobs: JobQueue
) -> None:
    ran: list[Ran] = []
    failed: set[int] = set()

    @jobs.task(
        retry=Retry(attempts=3, backoff=Constant(0.05)),
        concurrency=Concurrency(1, key="customer", name="imports", ordered=True),
    )
    async def load(customer: str, number: int) -> None:
        if number == 0 and number not in failed:
            failed.add(number)
            jobs.pause(books.connection, limit="imports", key="acme")
            raise ValueError("once")
        now = time.monotonic()
        ran.append(Ran(number, customer, now, now))

    for number in range(5):
        load.enqueue(books.connection, "acme", number)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: bool(failed), what="it failed")
            await asyncio.sleep(2.5)
            assert ran == []
            jobs.resume(books.connection, limit="imports", key="acme")
            await auntil(lambda: len(ran) == 5, what="all ran", seconds=5.0)

    play(scenario())
    check_order(ran)
    attempts = books.rows("SELECT DISTINCT attempt FROM jobqueue.job_history ORDER BY 1")
    assert attempts == [(1,), (2,)]


@pytest.mark.parametrize(
    "end",
    [
        lambda books: books.connection.execute("DELETE FROM jobqueue.pauses"),
        lambda books: books.connection.execute("TRUNCATE jobqueue.pauses"),
        lambda books: books.connection.execute("UPDATE jobqueue.pauses SET key = 'another'"),
    ],
    ids=["delete", "truncate", "update"],
)
def test_the_table_may_be_changed_by_hand(
    books: Books, jobs: JobQueue, end: Callable[[Books], object]
) -> None:
    @jobs.task(concurrency=Concurrency(1, key="customer", name="imports"))
    async def load(customer: str) -> None: ...

    books.connection.execute(
        "INSERT INTO jobqueue.pauses (kind, name, key) VALUES ('key', 'imports', 'acme')"
    )
    job = load.enqueue(books.connection, "acme")
    other = load.enqueue(books.connection, "other")

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(other) == "completed", what="the other ran")
            assert books.state(job) == "gated"
            end(books)
            await auntil(lambda: books.state(job) == "completed", what="it ran", seconds=2.0)

    play(scenario())


def test_jobs_of_a_limit_without_keys_are_paused_by_the_empty_key(
    books: Books, jobs: JobQueue
) -> None:
    limit = RateLimit("api", 100)

    @jobs.task(rate_limit=limit)
    async def call() -> None: ...

    jobs.pause(books.connection, limit=limit, key="")
    job = call.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: gated(books) == 1, what="it waits")
            await asyncio.sleep(0.3)
            assert books.state(job) == "gated"
            jobs.resume(books.connection, limit=limit, key="")
            await auntil(lambda: books.state(job) == "completed", what="it ran", seconds=2.0)

    play(scenario())


def test_keys_are_values_as_the_task_gets_them(books: Books, jobs: JobQueue) -> None:
    ran: list[int] = []

    @jobs.task(concurrency=Concurrency(1, key="customer_id"))
    async def load(customer_id: int) -> None:
        ran.append(customer_id)

    jobs.pause(books.connection, limit="load", key=7)
    for number in (7, 8):
        load.enqueue(books.connection, number)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: ran == [8], what="the other ran")
            jobs.resume(books.connection, limit="load", key=7)
            await auntil(lambda: ran == [8, 7], what="it ran")

    play(scenario())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limit": "a"}, "limit and key: give both"),
        ({"key": "a", "queue": "b"}, "limit and key: give both"),
        ({"limit": "a", "key": "b", "queue": "c"}, "give one of them"),
        ({"limit": "", "key": "b"}, "1 to 200 characters"),
        ({"limit": Concurrency(1, key="k"), "key": "b"}, "no name of its own"),
    ],
)
def test_what_is_no_key_is_refused(
    books: Books, jobs: JobQueue, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        jobs.pause(books.connection, **given)
    assert books.rows("SELECT FROM jobqueue.pauses") == []
