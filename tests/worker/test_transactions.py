"""`current_job().transaction()`: a job's effects and its completion are one commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from jobqueue import JobQueue, Retry, current_job
from tests.waiting import auntil, until
from tests.worker.books import Books
from tests.worker.effects import COROUTINE, PLAIN, WAYS, Way, counting, effects, processed
from tests.worker.effects import with_counter as counted
from tests.worker.playing import play, running

every_way = pytest.mark.parametrize("way", WAYS, ids=str)
both_kinds = pytest.mark.parametrize("way", [PLAIN, COROUTINE], ids=str)
AT_ONCE = Retry(attempts=5, backoff=lambda attempt: 0)


@pytest.fixture(autouse=True)
def counter(books: Books) -> None:
    counted(books)


def finish(books: Books, jobs: JobQueue, **settings: Any) -> None:
    """Run a worker until no job is left."""

    async def scenario() -> None:
        async with running(jobs, books.url, **settings):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())


def failing_first(times: int = 1) -> Callable[[Any], None]:
    """Give a function that raises so often, then no more."""
    left = [times]

    def fail(*_: object) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ValueError("not yet")

    return fail


@every_way
def test_effect_id_and_completion_become_visible_at_once(books: Books, way: Way) -> None:
    jobs = JobQueue()
    entered, go_on, over = threading.Event(), threading.Event(), threading.Event()

    async def pause() -> None:
        entered.set()
        await asyncio.to_thread(go_on.wait)

    def pause_in_thread() -> None:
        entered.set()
        go_on.wait(20)

    task = counting(
        jobs,
        way,
        books.url,
        inside=lambda _: pause() if way.is_async else pause_in_thread(),
        after=over.set,
    )
    job = task.enqueue(books.connection)

    def seen() -> tuple[int, int, str]:
        return effects(books), processed(books), books.state(job)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(entered.is_set, what="the block is entered")
            assert seen() == (0, 0, "running")
            go_on.set()
            await auntil(over.is_set, what="the block is left")
            assert seen() == (1, 1, "completed")

    try:
        play(scenario())
    finally:
        go_on.set()
    assert books.job(job).run_ms is not None
    assert books.unfinished() == 0


@every_way
def test_an_exception_in_the_block_takes_everything_back_and_the_job_is_tried_again(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()
    seen: list[tuple[int, int]] = []
    fail = failing_first(2)

    def inside(_: object) -> None:
        seen.append((effects(books), processed(books)))
        fail()

    task = counting(jobs, way, books.url, inside=inside, retry=AT_ONCE)
    job = task.enqueue(books.connection)
    finish(books, jobs)
    assert seen == [(0, 0)] * 3
    assert (effects(books), processed(books)) == (1, 1)
    record = books.job(job)
    assert (record.state, record.attempt) == ("completed", 3)
    assert [error["error"] for error in record.errors or []] == ["ValueError"] * 2


@every_way
def test_a_job_whose_effects_were_made_is_completed_without_its_block(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()
    entered: list[object] = []
    task = counting(jobs, way, books.url, inside=entered.append)
    job = task.enqueue(books.connection)
    books.rows("INSERT INTO jobqueue.processed_ids (job_id) VALUES (%s)", [job.id])
    finish(books, jobs)
    assert entered == []
    assert effects(books) == 0
    record = books.job(job)
    assert (record.state, record.attempt, record.errors) == ("completed", 1, None)


@both_kinds
def test_an_id_that_comes_again_after_its_history_is_gone_has_no_second_effect(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()
    task = counting(jobs, way, books.url).using(job_id=uuid4())
    job = task.enqueue(books.connection)
    finish(books, jobs)
    books.rows("DELETE FROM jobqueue.job_history")
    again = task.enqueue(books.connection)
    assert (again.id, again.outcome) == (job.id, "inserted")
    finish(books, jobs)
    assert books.state(job) == "completed"
    assert effects(books) == 1


@every_way
def test_what_fails_after_the_block_neither_undoes_nor_repeats_it(
    books: Books, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()
    task = counting(jobs, way, books.url, after=failing_first(99), retry=AT_ONCE)
    job = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: "then raised ValueError" in caplog.text, what="it is told")

    play(scenario())
    record = books.job(job)
    assert (record.state, record.attempt, record.errors) == ("completed", 1, None)
    assert effects(books) == 1


@both_kinds
def test_a_second_block_in_one_job_is_refused(books: Books, way: Way) -> None:
    jobs = JobQueue()
    refused: list[str] = []

    @jobs.task
    async def twice() -> None:
        async with current_job().transaction() as connection:
            await connection.execute("UPDATE counter SET effects = effects + 1")
        try:
            async with current_job().transaction():
                pass
        except Exception as error:
            refused.append(f"{type(error).__name__}: {error}")

    @jobs.task
    def twice_in_a_thread() -> None:
        with current_job().transaction() as connection:
            connection.execute("UPDATE counter SET effects = effects + 1")
        try:
            with current_job().transaction():
                pass
        except Exception as error:
            refused.append(f"{type(error).__name__}: {error}")

    job = (twice if way.is_async else twice_in_a_thread).enqueue(books.connection)
    finish(books, jobs)
    until(lambda: refused, what="the second is refused")
    assert "make all its effects in one transaction() block" in refused[0]
    assert refused[0].startswith("ConfigurationError")
    assert (books.state(job), effects(books)) == ("completed", 1)


@both_kinds
def test_a_block_within_a_block_is_refused_and_does_not_wait_for_itself(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()

    @jobs.task(retry=Retry(attempts=1))
    async def nested() -> None:
        async with current_job().transaction(), current_job().transaction():
            pass

    @jobs.task(retry=Retry(attempts=1))
    def nested_in_a_thread() -> None:
        with current_job().transaction(), current_job().transaction():
            pass

    job = (nested if way.is_async else nested_in_a_thread).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, grace_seconds=0.1):
            try:
                await auntil(lambda: books.state(job) == "dead", what="it is refused", seconds=5)
            finally:
                books.cut("jobqueue job%")

    play(scenario())
    [error] = books.job(job).errors or []
    assert error["error"].endswith("ConfigurationError")


@every_way
def test_a_block_that_failed_may_be_tried_again_in_the_same_attempt(books: Books, way: Way) -> None:
    jobs = JobQueue()
    using = way.using(books.url)

    @jobs.task
    async def stubborn() -> None:
        with pytest.raises(ValueError, match="not yet"):
            async with current_job().transaction(using):
                raise ValueError("not yet")
        async with current_job().transaction(using):
            pass

    @jobs.task
    def stubborn_in_a_thread() -> None:
        with pytest.raises(ValueError, match="not yet"), current_job().transaction(using):
            raise ValueError("not yet")
        with current_job().transaction(using):
            pass

    job = (stubborn if way.is_async else stubborn_in_a_thread).enqueue(books.connection)
    finish(books, jobs)
    assert (books.state(job), books.job(job).attempt) == ("completed", 1)
    assert processed(books) == 1
