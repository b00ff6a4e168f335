"""Tasks of both kinds run, complete, and know which job they are."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from time import perf_counter

import pytest

from jobqueue import CurrentJob, JobQueue, NoCurrentJob, current_job
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

mood: ContextVar[str] = ContextVar("mood", default="fresh")


def test_an_async_task_runs_on_the_event_loop_and_completes(books: Books) -> None:
    jobs = JobQueue()
    seen: list[tuple[int, str, int]] = []

    @jobs.task
    async def note(number: int, text: str) -> None:
        await asyncio.sleep(0)
        seen.append((number, text, threading.get_ident()))

    job = note.enqueue(books.connection, 7, text="ünï")

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "completed", what="the job completes")

    play(scenario())
    assert seen == [(7, "ünï", threading.get_ident())]
    record = books.job(job)
    assert (record.attempt, record.errors) == (1, None)
    assert record.run_ms is not None
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.enqueued_at <= record.started_at <= record.finished_at


def test_a_plain_function_runs_in_a_thread_and_completes(books: Books) -> None:
    jobs = JobQueue()
    seen: list[tuple[int, int]] = []

    @jobs.task
    def note(number: int) -> None:
        seen.append((number, threading.get_ident()))

    job = note.enqueue(books.connection, number=7)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "completed", what="the job completes")

    play(scenario())
    [(number, thread)] = seen
    assert number == 7
    assert thread != threading.get_ident()


def test_a_job_knows_which_one_it_is_in_a_coroutine_and_in_a_thread(books: Books) -> None:
    jobs = JobQueue()
    seen: list[CurrentJob] = []

    @jobs.task(queue="loop")
    async def in_a_coroutine() -> None:
        await asyncio.sleep(0)
        seen.append(current_job())

    @jobs.task(queue="pool")
    def in_a_thread() -> None:
        seen.append(current_job())

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"loop": 1, "pool": 1}):
            await auntil(lambda: len(seen) == 2, what="both run")

    one = in_a_coroutine.using(attempts=3).enqueue(books.connection)
    two = in_a_thread.enqueue(books.connection)
    play(scenario())
    assert sorted(
        (job.id, job.task, job.queue, job.attempt, job.max_attempts) for job in seen
    ) == sorted(
        [
            (one.id, "in_a_coroutine", "loop", 1, 3),
            (two.id, "in_a_thread", "pool", 1, 5),
        ]
    )
    with pytest.raises(NoCurrentJob):
        current_job()


def test_many_jobs_of_both_kinds_each_run_exactly_once(books: Books) -> None:
    jobs = JobQueue()
    seen: list[int] = []

    @jobs.task
    async def even(number: int) -> None:
        seen.append(number)

    @jobs.task
    def odd(number: int) -> None:
        seen.append(number)

    even.enqueue_many(books.connection, [{"number": n} for n in range(0, 3000, 2)])
    odd.enqueue_many(books.connection, [{"number": n} for n in range(1, 3000, 2)])

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert sorted(seen) == list(range(3000))
    assert books.states() == {"completed": 3000}


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_what_a_job_sets_in_a_context_variable_does_not_reach_the_next(
    books: Books, kind: str
) -> None:
    jobs = JobQueue()
    seen: list[str] = []

    async def in_a_coroutine() -> None:
        seen.append(mood.get())
        await asyncio.sleep(0)
        mood.set("spoilt")

    def in_a_thread() -> None:
        seen.append(mood.get())
        mood.set("spoilt")

    task = jobs.task(name="spoil")(in_a_coroutine if kind == "coroutine" else in_a_thread)
    # More than there are slots: most of them start at the end of another.
    task.enqueue_many(books.connection, [{}] * 200)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 2}):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert seen == ["fresh"] * 200


def test_each_of_many_jobs_side_by_side_sees_its_own_job(books: Books) -> None:
    jobs = JobQueue()
    wrong: list[str] = []
    names = iter(range(1_000_000))

    @jobs.task
    async def look() -> None:
        before = current_job().id
        mine = f"mood {next(names)}"
        mood.set(mine)
        await asyncio.sleep(0.001)
        if (current_job().id, mood.get()) != (before, mine):
            wrong.append(mine)

    look.enqueue_many(books.connection, [{}] * 300)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 20}):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert wrong == []


def test_a_task_that_returns_a_coroutine_by_mistake_fails_and_says_so(books: Books) -> None:
    jobs = JobQueue()

    async def work() -> None: ...

    @jobs.task
    def forgot_the_await() -> object:
        return work()

    job = forgot_the_await.using(attempts=1).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "dead", what="the job is a dead letter")

    play(scenario())
    [error] = books.job(job).errors or []
    assert "make the task async def" in error["message"]


def test_the_time_a_job_runs_is_without_its_wait_for_others_that_began_together(
    books: Books,
) -> None:
    jobs = JobQueue()
    times: list[float] = []

    @jobs.task
    async def holds_the_loop() -> None:
        times.append(perf_counter())
        time.sleep(0.03)  # noqa: ASYNC251 - so that the others wait
        times.append(perf_counter())

    holds_the_loop.enqueue_many(books.connection, [{}] * 8)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    [(seconds,)] = books.rows("SELECT sum(run_ms) / 1000 FROM jobqueue.all_jobs")
    assert seconds <= (times[-1] - times[0]) * 1.2, "they ran one after the other"
