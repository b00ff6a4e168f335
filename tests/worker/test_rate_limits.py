"""Rate limits: how many jobs start in any window, across workers; holds; what waits."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from jobqueue import Concurrency, Hold, JobQueue, RateLimit
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.limits_kept import Ran, check_concurrency, check_rate
from tests.worker.playing import play, running


def recording(jobs: JobQueue, name: str = "work", **options: Any) -> tuple[Any, list[Ran]]:
    """Register a task that records when it began."""
    ran: list[Ran] = []

    @jobs.task(name=name, **options)
    async def work(number: int, key: str = "") -> None:
        began = time.monotonic()
        ran.append(Ran(number, key, began, began))

    return work, ran


def drained(books: Books, jobs: JobQueue, workers: int = 2, **settings: Any) -> None:
    async def scenario() -> None:
        async with running(jobs, books.url, **settings):
            if workers == 1:
                await auntil(lambda: books.unfinished() == 0, what="all jobs end")
                return
            async with running(jobs, books.url, **settings):
                await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())


@pytest.mark.parametrize(("amount", "per", "burst"), [(40, 0.5, 1), (40, 0.5, 40), (10, 0.2, 5)])
def test_no_window_holds_more_starts_than_the_limit_on_two_workers(
    books: Books, amount: int, per: float, burst: int
) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, rate_limit=RateLimit("api", amount, per=per, burst=burst))
    count = amount * 4
    work.enqueue_many(books.connection, [{"number": n} for n in range(count)])
    drained(books, jobs)
    assert sorted(one.job for one in ran) == list(range(count))
    check_rate(ran, amount=amount, per=per)
    assert books.value("SELECT max(attempt) FROM jobqueue.job_history") == 1


def test_tasks_and_queues_share_a_limit_by_its_name(books: Books) -> None:
    jobs = JobQueue()
    api = RateLimit("api", 20, per=0.5)
    one, ran_one = recording(jobs, "one", rate_limit=api)
    other, ran_other = recording(jobs, "other", rate_limit="api", queue="webhooks")
    one.enqueue_many(books.connection, [{"number": n} for n in range(30)])
    other.enqueue_many(books.connection, [{"number": n} for n in range(30)])
    drained(books, jobs, queues={"default": 5, "webhooks": 5})
    assert len(ran_one) == len(ran_other) == 30
    check_rate([*ran_one, *ran_other], amount=20, per=0.5)


def test_each_key_has_a_bucket_of_its_own(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, rate_limit=RateLimit("api", 5, per=0.5, key="key"))
    items = [{"number": n, "key": f"k{n % 6}"} for n in range(60)]
    work.enqueue_many(books.connection, items)
    began = time.monotonic()
    drained(books, jobs)
    assert time.monotonic() - began < 10
    assert len(ran) == 60
    check_rate(ran, amount=5, per=0.5)


@pytest.mark.parametrize("burst", [1, 20])
def test_jobs_count_for_their_weight(books: Books, burst: int) -> None:
    jobs = JobQueue()
    ran: list[Ran] = []

    @jobs.task(rate_limit=RateLimit("api", 20, per=0.4, burst=burst))
    async def work(number: int, weight: int) -> None:
        began = time.monotonic()
        ran.append(Ran(number, "", began, began, weight))

    for number in range(40):
        weight = (1, 2, 5, 11)[number % 4] if number > 20 else 1
        work.using(weight=weight).enqueue(books.connection, number=number, weight=weight)
    drained(books, jobs)
    assert len(ran) == 40
    check_rate(ran, amount=20, per=0.4)


def test_a_burst_of_heavy_jobs_is_no_more_than_the_limit(books: Books) -> None:
    jobs = JobQueue()
    ran: list[Ran] = []

    @jobs.task(rate_limit=RateLimit("api", 20, per=0.4, burst=20), weight=7)
    async def work(number: int) -> None:
        began = time.monotonic()
        ran.append(Ran(number, "", began, began, 7))

    for pause in (0.0, 1.0):  # the second time after fewer than the limit
        time.sleep(pause)
        work.enqueue_many(books.connection, [{"number": n} for n in range(8)])
        drained(books, jobs)
    assert len(ran) == 16
    check_rate(ran, amount=20, per=0.4)


def test_a_job_that_waits_for_its_limit_takes_no_slot(books: Books) -> None:
    jobs = JobQueue()
    slow, ran_slow = recording(jobs, "slow", rate_limit=RateLimit("monthly", 1, per=30 * 86_400))
    quick, ran_quick = recording(jobs, "quick")
    slow.using(priority="critical").enqueue_many(
        books.connection, [{"number": n} for n in range(50)]
    )
    quick.enqueue_many(books.connection, [{"number": n} for n in range(50)])

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 1}):
            await auntil(lambda: len(ran_quick) == 50, what="the others run")
            await auntil(lambda: len(ran_slow) == 1, what="the first of the month runs")

    play(scenario())
    assert books.value("SELECT count(*) FROM jobqueue.jobs WHERE state = 'gated'") == 49


def test_a_job_under_a_rate_gets_its_turn_beside_long_jobs_that_never_end(books: Books) -> None:
    """In one slot, which is never free at the very moment that a rate gives."""
    jobs = JobQueue()
    work, ran = recording(jobs, "paced", rate_limit=RateLimit("api", 20, per=0.5))

    @jobs.task
    async def long() -> None:
        await asyncio.sleep(0.15)

    long.enqueue_many(books.connection, [{}] * 60)
    work.using(priority="critical").enqueue_many(
        books.connection, [{"number": n} for n in range(12)]
    )

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 1}):
            await auntil(lambda: len(ran) == 12, what="those under the rate run")

    play(scenario())
    check_rate(ran, amount=20, per=0.5)
    # Each at the next end of a long one, or so: they have the more urgent priority.
    assert books.states()["completed"] < 45


def test_a_rate_and_a_concurrency_limit_are_kept_together(books: Books) -> None:
    jobs = JobQueue()
    ran: list[Ran] = []

    @jobs.task(rate_limit=RateLimit("api", 30, per=0.3), concurrency=Concurrency(2, key="key"))
    async def work(number: int, key: str) -> None:
        began = time.monotonic()
        await asyncio.sleep(0.01)
        ran.append(Ran(number, key, began, time.monotonic()))

    items = [{"number": n, "key": f"k{n % 4}"} for n in range(80)]
    work.enqueue_many(books.connection, items)
    drained(books, jobs)
    assert len(ran) == 80
    check_concurrency(ran, amount=2)
    check_rate([Ran(one.job, "", one.began, one.ended) for one in ran], amount=30, per=0.3)


def test_a_hold_from_inside_a_job_stops_everybody_for_so_long(books: Books) -> None:
    jobs = JobQueue()
    began: list[float] = []
    refused: list[float] = []

    @jobs.task(rate_limit=RateLimit("api", 20, per=0.5))
    async def work(number: int) -> None:
        began.append(time.monotonic())
        if len(began) == 5:
            refused.append(time.monotonic())
            raise Hold(after=1.5)

    work.enqueue_many(books.connection, [{"number": n} for n in range(30)])
    drained(books, jobs)
    assert len(began) == 31
    # What had been let through already may still start.
    quiet = [moment for moment in began if 0.3 < moment - refused[0] < 1.4]
    assert quiet == []
    assert books.value("SELECT max(attempt) FROM jobqueue.job_history") == 1


def test_a_raised_limit_is_heeded_at_once(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, rate_limit=RateLimit("api", 1, per=86_400.0))
    work.enqueue_many(books.connection, [{"number": n} for n in range(30)])

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: len(ran) == 1, what="the first runs")
            books.rows("UPDATE jobqueue.limits SET amount = 1000, per_seconds = 1")
            await auntil(lambda: books.unfinished() == 0, what="all jobs end", seconds=5)

    play(scenario())


def test_a_removed_limit_lets_its_jobs_go(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, rate_limit=RateLimit("api", 1, per=86_400.0))
    work.enqueue_many(books.connection, [{"number": n} for n in range(30)])

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: len(ran) == 1, what="the first runs")
            books.rows("UPDATE jobqueue.limits SET removed = true")
            await auntil(lambda: books.unfinished() == 0, what="all jobs end", seconds=5)

    play(scenario())


def test_nobody_looks_at_the_gates_while_nobody_waits(books: Books) -> None:
    books.rows("INSERT INTO jobqueue.limits (name, kind, amount) VALUES ('work', 'concurrency', 1)")
    books.rows("SELECT jobqueue.admit(0.025, 0.15, 100)")
    books.rows("SELECT jobqueue.admit(0.025, 0.15, 100)")
    assert books.rows("SELECT pause FROM jobqueue.admit(0.025, 0.15, 100)") == [(None,)]


def test_a_name_that_is_of_a_concurrency_limit_lets_pass_who_takes_it_for_a_rate(
    books: Books,
) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, rate_limit=RateLimit("crm", 1, per=86_400))
    books.rows("INSERT INTO jobqueue.limits (name, kind, amount) VALUES ('crm', 'concurrency', 1)")
    work.enqueue_many(books.connection, [{"number": n} for n in range(5)])
    drained(books, jobs)
    assert len(ran) == 5


def test_jobs_of_a_limit_that_nobody_has_set_pass(books: Books, caplog: Any) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, rate_limit="nowhere")
    work.enqueue_many(books.connection, [{"number": n} for n in range(20)])
    drained(books, jobs)
    assert len(ran) == 20
    assert "limit 'nowhere': is not set" in caplog.text


def test_what_a_stopping_worker_has_in_hand_goes_back_to_its_gate(books: Books) -> None:
    jobs = JobQueue()
    work, ran = recording(jobs, rate_limit=RateLimit("api", 100))
    work.enqueue_many(books.connection, [{"number": n} for n in range(100)])

    async def scenario() -> None:
        async with running(jobs, books.url) as worker:
            await auntil(lambda: len(ran) > 10, what="some run")
            await worker.stopped()
            assert "running" not in books.states()
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert sorted(one.job for one in ran) == list(range(100))
    check_rate(ran, amount=100, per=1.0)
