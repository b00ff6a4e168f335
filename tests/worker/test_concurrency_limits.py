"""Concurrency limits: how many jobs of a key run at once, across workers; nothing is stuck."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest

from jobqueue import Concurrency, JobQueue, Retry, Unique
from jobqueue.store.database import to_conninfo
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.limits_kept import Ran, check_concurrency, check_order
from tests.worker.playing import play, running


def recording(jobs: JobQueue, seconds: float = 0.005, **options: Any) -> tuple[Any, list[Ran]]:
    """Register a task that records its runs; `numbers` of jobs tell them apart."""
    ran: list[Ran] = []

    @jobs.task(name="work", **options)
    async def work(number: int, key: str = "") -> None:
        began = time.monotonic()
        await asyncio.sleep(seconds)
        ran.append(Ran(number, key, began, time.monotonic()))

    return work, ran


@pytest.mark.parametrize("amount", [1, 3])
def test_no_key_ever_runs_more_than_its_limit_on_two_workers(books: Books, amount: int) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, concurrency=Concurrency(amount, key="key"))
    items = [{"number": number, "key": f"k{number % 7}"} for number in range(140)]
    work.enqueue_many(books.connection, items)
    assert books.states() == {"gated": 140}

    async def scenario() -> None:
        async with running(jobs, books.url), running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert sorted(one.job for one in ran) == list(range(140))
    check_concurrency(ran, amount=amount)


def test_a_limit_without_a_key_is_of_all_jobs_of_the_task(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, concurrency=Concurrency(2))
    work.enqueue_many(books.connection, [{"number": n, "key": str(n)} for n in range(30)])

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    check_concurrency([Ran(one.job, "", one.began, one.ended) for one in ran], amount=2)


def test_a_full_key_hides_no_job_of_another(books: Books) -> None:
    jobs = JobQueue()
    lets_go = asyncio.Event()
    free_ran = asyncio.Event()

    @jobs.task(concurrency=Concurrency(1, key="key"))
    async def work(key: str) -> None:
        if key == "full":
            await lets_go.wait()
        else:
            free_ran.set()

    work.enqueue_many(books.connection, [{"key": "full"}] * 500)
    work.using(priority="low").enqueue(books.connection, key="free")

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 2}):
            await asyncio.wait_for(free_ran.wait(), 10)
            full = "state = 'running' AND concurrency_key = 'full'"
            assert books.value(f"SELECT count(*) FROM jobqueue.jobs WHERE {full}") == 1
            lets_go.set()
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())


def test_jobs_from_sql_and_from_schedules_are_put_under_the_limit_too(books: Books) -> None:
    jobs = JobQueue()
    _, ran = recording(jobs, concurrency=Concurrency(1, key="key"))
    for number in range(20):
        books.rows(
            "SELECT jobqueue.enqueue_v1('work', jsonb_build_object('number', %s::int, 'key', 'a'))",
            [number],
        )

    async def scenario() -> None:
        async with running(jobs, books.url), running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert len(ran) == 20
    check_concurrency(ran, amount=1)
    assert books.value("SELECT max(attempt) FROM jobqueue.job_history") == 1


def test_retries_give_up_their_place_and_take_it_again(books: Books) -> None:
    jobs = JobQueue()
    ran: list[Ran] = []

    @jobs.task(
        concurrency=Concurrency(1, key="key"), retry=Retry(attempts=3, backoff=lambda _: 0.05)
    )
    async def work(number: int, key: str) -> None:
        began = time.monotonic()
        await asyncio.sleep(0.002)
        ran.append(Ran(number, key, began, time.monotonic()))
        if sum(one.job == number for one in ran) == 1:
            raise ValueError("the first attempt fails")

    work.enqueue_many(books.connection, [{"number": n, "key": "a"} for n in range(10)])

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert len(ran) == 20
    check_concurrency(ran, amount=1)


def test_an_ordered_key_keeps_its_order_through_retries(books: Books) -> None:
    jobs = JobQueue()
    ran: list[Ran] = []

    @jobs.task(
        concurrency=Concurrency(1, key="key", ordered=True),
        retry=Retry(attempts=5, backoff=lambda _: 0.02),
    )
    async def work(number: int, key: str) -> None:
        began = time.monotonic()
        ran.append(Ran(number, key, began, began))
        if sum(one.job == number for one in ran) < 3:
            raise ValueError("not yet")

    items = [{"number": n, "key": f"k{n % 3}"} for n in range(18)]
    work.enqueue_many(books.connection, items)

    async def scenario() -> None:
        async with running(jobs, books.url), running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert len(ran) == 54
    check_order(ran)


def test_a_worker_that_is_lost_gives_its_keys_back(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, concurrency=Concurrency(1, key="key"))
    work.enqueue_many(books.connection, [{"number": n, "key": "a"} for n in range(3)])
    books.rows("INSERT INTO jobqueue.limits (name, kind, amount) VALUES ('work', 'concurrency', 1)")
    books.rows("SELECT jobqueue.admit(0.025, 0.15, 100)")
    # As one that claimed, and died.
    books.rows(
        "WITH lost AS (INSERT INTO jobqueue.workers (name, hostname, pid, queues, concurrency,"
        " expires_at) VALUES ('lost', 'vm', 1, '{}', 1, '-infinity') RETURNING id)"
        " UPDATE jobqueue.jobs SET state = 'running', attempt = 1, lease = 1, started_at = now(),"
        " worker_id = (SELECT id FROM lost) WHERE state = 'available'"
    )
    assert books.states() == {"running": 1, "gated": 2}

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert len(ran) == 3


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_however_the_holder_ends_the_next_goes(books: Books, end: str) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, concurrency=Concurrency(1, key="key"))
    books.rows("INSERT INTO jobqueue.limits (name, kind, amount) VALUES ('work', 'concurrency', 1)")
    first = work.enqueue(books.connection, number=1, key="a")
    books.rows("SELECT jobqueue.admit(0.025, 0.15, 100)")
    work.enqueue(books.connection, number=2, key="a")
    books.rows("SELECT jobqueue.admit(0.025, 0.15, 100)")
    assert books.states() == {"available": 1, "gated": 1}
    if end == "cancel":
        books.rows("SELECT jobqueue.cancel_v2(%s)", [first.id])
    else:
        books.rows("DELETE FROM jobqueue.jobs WHERE id = %s", [first.id])

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="the next ends")

    play(scenario())
    assert [one.job for one in ran] == [2]


def test_an_enqueue_that_is_not_committed_holds_up_nobody(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, concurrency=Concurrency(1, key="key"))
    work.enqueue_many(books.connection, [{"number": n, "key": "a"} for n in range(5)])
    with psycopg.connect(to_conninfo(books.url)) as open_one:
        work.enqueue(open_one, number=9, key="a")

        async def scenario() -> None:
            async with running(jobs, books.url):
                await auntil(lambda: len(ran) == 5, what="the others run")
                open_one.commit()
                await auntil(lambda: books.unfinished() == 0, what="all jobs end")

        play(scenario())
    assert len(ran) == 6


def test_a_changed_limit_takes_effect_at_once_and_a_removed_one_lets_all_go(books: Books) -> None:
    jobs = JobQueue()
    inside = 0
    lets_go = asyncio.Event()

    @jobs.task(concurrency=Concurrency(1, key="key"))
    async def work(key: str) -> None:
        nonlocal inside
        inside += 1
        await lets_go.wait()

    work.enqueue_many(books.connection, [{"key": "a"}] * 10)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: inside == 1, what="one runs")
            books.rows("UPDATE jobqueue.limits SET amount = 4 WHERE name = 'work'")
            await auntil(lambda: inside == 4, what="four run", seconds=2)
            books.rows("UPDATE jobqueue.limits SET removed = true WHERE name = 'work'")
            await auntil(lambda: inside == 10, what="all run", seconds=2)
            lets_go.set()
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())


def test_jobs_under_a_name_that_is_of_the_other_kind_pass(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, concurrency=Concurrency(1, key="key"))
    books.rows(
        "INSERT INTO jobqueue.limits (name, kind, amount, per_seconds)"
        " VALUES ('work', 'rate', 1, 60)"
    )
    work.enqueue_many(books.connection, [{"number": n, "key": "a"} for n in range(5)])

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert len(ran) == 5


def test_unique_keys_and_concurrency_keys_go_together(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(
        jobs,
        concurrency=Concurrency(1, key="key"),
        unique=Unique.replace(lambda number: f"n{number % 4}"),
    )
    for number in range(12):
        work.enqueue(books.connection, number=number, key=f"k{number % 2}")
    assert books.states() == {"gated": 4}

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert sorted(one.job for one in ran) == [8, 9, 10, 11]
    check_concurrency(ran, amount=1)


def test_a_scheduled_job_comes_to_its_gate_when_it_is_due(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, seconds=0.3, concurrency=Concurrency(1, key="key"))
    work.using(delay=0.1).enqueue(books.connection, number=1, key="a")
    work.enqueue(books.connection, number=0, key="a")
    assert books.states() == {"scheduled": 1, "gated": 1}

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert [one.job for one in ran] == [0, 1]
    check_concurrency(ran, amount=1)


def test_keys_take_turns_where_that_is_asked_for(books: Books) -> None:
    jobs = JobQueue()
    order: list[str] = []

    @jobs.task(
        concurrency=Concurrency(None, key="tenant", fair=True, ahead=4, weights={"heavy": 3})
    )
    async def work(tenant: str) -> None:
        order.append(tenant)

    work.enqueue_many(books.connection, [{"tenant": "crowd"}] * 600)
    work.enqueue_many(books.connection, [{"tenant": "heavy"}] * 60)
    work.enqueue_many(books.connection, [{"tenant": "small"}] * 20)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 2}):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert len(order) == 680
    until_small_is_done = order[: len(order) - order[::-1].index("small")]
    # Twenty of its turns: as many of the crowd, three times as many of the heavy one, and what was
    # let through ahead.
    assert until_small_is_done.count("crowd") <= 40
    assert until_small_is_done.count("heavy") >= 40


def test_a_limited_queue_runs_so_many_at_once_on_all_workers_together(books: Books) -> None:
    jobs = JobQueue()
    ran: list[Ran] = []

    @jobs.task(queue="narrow")
    async def work(number: int) -> None:
        began = time.monotonic()
        await asyncio.sleep(0.05)
        ran.append(Ran(number, "", began, time.monotonic()))

    books.rows("INSERT INTO jobqueue.queues (name, concurrency) VALUES ('narrow', 3)")
    work.enqueue_many(books.connection, [{"number": number} for number in range(60)])

    async def scenario() -> None:
        queues = {"narrow": 10}
        async with (
            running(jobs, books.url, queues=queues),
            running(jobs, books.url, queues=queues),
        ):
            await auntil(lambda: len(ran) >= 40, what="most jobs run")
            check_concurrency(ran, amount=3)
            books.rows("UPDATE jobqueue.queues SET concurrency = NULL")
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert len(ran) == 60
