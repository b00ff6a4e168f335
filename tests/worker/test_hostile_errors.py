"""Whatever user code raises ends that job's attempt and touches nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

import pytest

from jobqueue import Constant, JobQueue, Retry
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


class NotText(Exception):
    def __str__(self) -> str:
        return 42  # type: ignore[return-value]  # noqa: PLE0307 - that is what is tested


class OwnBase(BaseException):
    pass


def system_exit() -> NoReturn:
    raise SystemExit(1)


def keyboard_interrupt() -> NoReturn:
    raise KeyboardInterrupt


def generator_exit() -> NoReturn:
    raise GeneratorExit


def stop_iteration() -> NoReturn:
    raise StopIteration


def stop_async_iteration() -> NoReturn:
    raise StopAsyncIteration


def cancelled() -> NoReturn:
    raise asyncio.CancelledError


def own_base() -> NoReturn:
    raise OwnBase("of a kind nobody expects")


def unreadable() -> NoReturn:
    raise Unreadable


def not_text() -> NoReturn:
    raise NotText


class Unnamed(type):
    @property
    def __module__(cls) -> str:
        raise RuntimeError("nor this")

    @property
    def __name__(cls) -> str:
        raise RuntimeError("nor that")


class OfNoName(Exception, metaclass=Unnamed):
    pass


def of_no_name() -> NoReturn:
    raise OfNoName


def not_storable() -> NoReturn:
    raise ValueError("a NUL \x00, a lone surrogate \ud800 and " + "x" * 100_000)


def a_group() -> NoReturn:
    raise BaseExceptionGroup("several", [SystemExit(1), ValueError("two")])


def its_own_cause() -> NoReturn:
    error = ValueError("round and round")
    error.__cause__ = error
    raise error


def too_deep() -> NoReturn:
    def deeper(depth: int) -> None:
        deeper(depth + 1)

    deeper(0)
    raise AssertionError("Python has no end")


HOSTILE = [
    system_exit,
    keyboard_interrupt,
    generator_exit,
    stop_iteration,
    stop_async_iteration,
    cancelled,
    own_base,
    unreadable,
    not_text,
    of_no_name,
    not_storable,
    a_group,
    its_own_cause,
    too_deep,
]


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_whatever_a_job_raises_fails_that_attempt_and_its_neighbours_complete(
    books: Books, kind: str
) -> None:
    jobs = JobQueue()
    ran: list[str] = []

    def register(explode: Callable[[], NoReturn]) -> None:
        def in_a_thread() -> None:
            ran.append(explode.__name__)
            explode()

        async def in_a_coroutine() -> None:
            await asyncio.sleep(0)
            in_a_thread()

        function = in_a_coroutine if kind == "coroutine" else in_a_thread
        jobs.task(name=explode.__name__, retry=Retry(attempts=2, backoff=Constant(0.01)))(function)

    for explode in HOSTILE:
        register(explode)

    @jobs.task
    async def neighbour() -> None:
        await asyncio.sleep(0.01)

    hostile = []
    for explode in HOSTILE:
        neighbour.enqueue(books.connection)
        hostile.append(jobs.tasks[explode.__name__].enqueue(books.connection))
    total = len(HOSTILE)

    async def scenario() -> bool:
        async with running(jobs, books.url) as it:
            await auntil(lambda: books.unfinished() == 0 or it.task.done(), what="all jobs end")
            return it.task.done()

    assert not play(scenario()), "the worker outlives them all"
    assert books.states() == {"completed": total, "dead": total}
    assert sorted(ran) == sorted(explode.__name__ for explode in HOSTILE * 2)
    for job in hostile:
        record = books.job(job)
        errors = record.errors or []
        assert [error["attempt"] for error in errors] == [1, 2], record.task
        assert all(error["error"] and error["traceback"] for error in errors), record.task


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_an_error_keeps_its_name_in_the_books(books: Books, kind: str) -> None:
    jobs = JobQueue()

    def leave() -> None:
        raise SystemExit(3)

    async def leave_async() -> None:
        leave()

    task = jobs.task(name="leave")(leave_async if kind == "coroutine" else leave)
    job = task.using(attempts=1).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "dead", what="the job is a dead letter")

    play(scenario())
    [error] = books.job(job).errors or []
    assert (error["error"], error["message"]) == ("SystemExit", "3")


def test_a_job_that_cancels_its_own_task_ends_its_own_attempt_only(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(retry=Retry(attempts=1))
    async def cancel_myself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(10)

    @jobs.task
    async def neighbour() -> None:
        await asyncio.sleep(0.05)

    mine = cancel_myself.enqueue(books.connection)
    others = neighbour.enqueue_many(books.connection, [{}] * 30)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert (books.job(mine).errors or [])[0]["error"].endswith("CancelledError")
    assert books.states() == {"dead": 1, "completed": len(others)}
