"""Hooks around attempts that are stopped, that fork, or that hold a transaction or a secret."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Annotated, Any

import pytest

from jobqueue import (
    AlreadyProcessed,
    ConfigurationError,
    Constant,
    CurrentJob,
    JobQueue,
    Retry,
    Secret,
    current_job,
)
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.effects import COUNT, effects, with_counter
from tests.worker.playing import play, running

ONCE = Retry(attempts=1)


def work_off(jobs: JobQueue, books: Books, **settings: Any) -> None:
    """Run a worker until no job is left."""

    async def scenario() -> None:
        async with running(jobs, books.url, **settings):
            await auntil(lambda: books.unfinished() == 0, what="every job has ended")

    play(scenario())


def test_a_timeout_in_an_async_hook_before_the_task_is_a_timeout(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()
    seen: list[str] = []

    @jobs.around_attempt
    def outer(_: CurrentJob) -> Generator[None, Any, None]:
        try:
            yield
        except asyncio.CancelledError:
            seen.append("outer is cancelled")

    @jobs.around_attempt
    async def slow(_: CurrentJob) -> AsyncGenerator[None, Any]:
        await asyncio.sleep(60)
        yield

    @jobs.task(timeout=0.2, retry=ONCE)
    async def task() -> None:
        seen.append("the task runs")

    job = task.enqueue(books.connection)
    work_off(jobs, books)
    assert books.state(job) == "dead"
    assert [error["error"] for error in books.job(job).errors or []] == ["TimedOut"]
    assert seen == ["outer is cancelled"]
    assert "around_attempt" not in caplog.text


def test_a_job_whose_task_is_done_when_its_time_is_over_in_a_hook_is_completed(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()
    ran: list[int] = []

    @jobs.around_attempt
    async def slow(_: CurrentJob) -> AsyncGenerator[None, Any]:
        yield
        await asyncio.sleep(60)

    @jobs.task(timeout=0.2)
    async def task() -> None:
        ran.append(1)

    job = task.enqueue(books.connection)
    work_off(jobs, books)
    assert books.state(job) == "completed"
    assert ran == [1]
    assert "around_attempt 'slow'" in caplog.text


def test_a_hook_that_cancels_itself_is_its_own_mistake(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    @jobs.around_attempt
    async def gives_up(_: CurrentJob) -> AsyncGenerator[None, Any]:
        raise asyncio.CancelledError
        yield

    @jobs.task(retry=ONCE)
    async def task() -> None: ...

    job = task.enqueue(books.connection)
    work_off(jobs, books)
    assert books.state(job) == "completed"
    assert "around_attempt 'gives_up'" in caplog.text


def test_a_job_that_is_interrupted_at_shutdown_is_raised_in_its_hooks_and_handed_back(
    books: Books,
) -> None:
    jobs = JobQueue()
    seen: list[str] = []

    @jobs.around_attempt
    async def outer(_: CurrentJob) -> AsyncGenerator[None, Any]:
        try:
            yield
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            seen.append("cleaned up")

    @jobs.task
    async def task() -> None:
        await asyncio.sleep(60)

    job = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, grace_seconds=0.1) as it:
            await auntil(lambda: books.state(job) == "running", what="it runs")
            await it.stopped()

    play(scenario())
    assert (books.state(job), seen) == ("available", ["cleaned up"])


@pytest.mark.parametrize(
    "error", [StopIteration("s"), StopAsyncIteration("s"), KeyboardInterrupt()]
)
def test_errors_that_python_does_not_let_out_of_a_generator_pass_through(
    books: Books, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    jobs = JobQueue()
    seen: list[BaseException] = []

    @jobs.around_attempt
    def outer(_: CurrentJob) -> Generator[None, Any, None]:
        try:
            yield
        except BaseException as raised:
            seen.append(raised)
            raise

    @jobs.task(retry=ONCE)
    def task() -> None:
        raise error

    job = task.enqueue(books.connection)
    work_off(jobs, books)
    assert books.state(job) == "dead"
    assert seen == [error]
    assert "around_attempt" not in caplog.text


def test_arguments_that_no_longer_fit_are_an_end_that_hooks_see(books: Books) -> None:
    jobs = JobQueue()
    seen: list[str] = []

    @jobs.around_attempt
    def look(_: CurrentJob) -> Generator[None, Any, None]:
        try:
            yield
        except Exception as raised:
            seen.append(type(raised).__name__)

    @jobs.task
    def plain(number: int) -> None: ...

    @jobs.task(name="coroutine")
    async def coroutine(number: int) -> None: ...

    for name in ("plain", "coroutine"):
        books.rows('SELECT jobqueue.enqueue_v1(%s, \'{"number": "many"}\')', [name])
    work_off(jobs, books)
    assert books.states() == {"dead": 2}
    assert seen == ["InvalidArguments"] * 2


def test_a_transaction_around_the_task_is_refused_and_the_job_runs_without_it(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    """Were it not to commit, the job would be completed without its effects."""
    with_counter(books)
    jobs = JobQueue()

    @jobs.around_attempt
    async def wraps(job: CurrentJob) -> AsyncGenerator[None, Any]:
        async with job.transaction():
            yield

    @jobs.task(retry=ONCE)
    async def task() -> None:
        async with current_job().transaction() as connection:
            await connection.execute(COUNT)

    job = task.enqueue(books.connection)
    work_off(jobs, books)
    assert books.state(job) == "completed"
    assert effects(books) == 1
    assert "its transaction() is open at a hook's yield" in caplog.text


def test_effects_that_an_earlier_delivery_made_end_the_job_also_when_a_hook_finds_them(
    books: Books,
) -> None:
    jobs = JobQueue()
    ran: list[str] = []

    @jobs.around_attempt
    def finds(job: CurrentJob) -> Generator[None, Any, None]:
        raise AlreadyProcessed(f"job {job.id}: done before")
        yield

    @jobs.task
    def task() -> None:
        ran.append("again")

    job = task.enqueue(books.connection)
    work_off(jobs, books)
    assert (books.state(job), ran) == ("completed", [])


def test_what_comes_after_a_task_that_forks_happens_once(books: Books, tmp_path: Path) -> None:
    jobs = JobQueue()
    notes = tmp_path / "notes"

    @jobs.around_attempt
    def look(_: CurrentJob) -> Generator[None, Any, None]:
        try:
            yield
        finally:
            with notes.open("a") as file:
                file.write("after\n")

    @jobs.task(retry=ONCE)
    def forks() -> None:
        if pid := os.fork():
            os.waitpid(pid, 0)

    job = forks.enqueue(books.connection)
    work_off(jobs, books)
    assert books.state(job) == "completed"
    assert notes.read_text() == "after\n"


def test_secret_arguments_are_hidden_in_what_is_said_of_a_hook(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    @jobs.around_attempt
    def careless(_: CurrentJob) -> Generator[None, Any, None]:
        try:
            yield
        except ValueError as error:
            raise RuntimeError(f"it said: {error}") from error

    @jobs.task(retry=Retry(attempts=1, backoff=Constant(0)))
    def log_in(token: Annotated[str, Secret]) -> None:
        raise ValueError(f"could not log in with {token}")

    log_in.enqueue(books.connection, token="the-secret-itself")
    work_off(jobs, books)
    assert "it said: could not log in with [redacted]" in caplog.text
    assert "the-secret-itself" not in caplog.text


def test_what_cannot_be_a_hook_is_refused_when_it_is_registered() -> None:
    jobs = JobQueue()

    def takes_nothing() -> Generator[None, Any, None]:
        yield

    async def waits(_: CurrentJob) -> None: ...

    for function, words in {
        takes_nothing: "around_attempt 'takes_nothing': cannot be called as takes_nothing(job)",
        waits: "around_attempt 'waits': is no generator function",
    }.items():
        with pytest.raises(ConfigurationError) as caught:
            jobs.around_attempt(function)  # type: ignore[type-var]
        assert words in str(caught.value)
