"""A worker opens an application's resources before its first job and closes them after its last."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import pytest

from jobqueue import (
    ConfigurationError,
    CurrentJob,
    JobQueue,
    LifespanError,
    Retry,
    UnknownResource,
    current_job,
)
from jobqueue.core.settings import WorkerSettings
from jobqueue.worker.worker import Farewell, Worker
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Let stuck code go at the end of the test, whatever came of it."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


def work_off(jobs: JobQueue, books: Books) -> Farewell:
    """Run a worker until no job is left."""

    async def scenario() -> Farewell:
        async with running(jobs, books.url) as it:
            await auntil(lambda: books.unfinished() == 0, what="every job has ended")
            return await it.stopped()

    return play(scenario())


def refusal(jobs: JobQueue, books: Books) -> LifespanError:
    """Give why a worker does not start."""

    async def scenario() -> None:
        await Worker(jobs, WorkerSettings(), database_url=books.url).run()

    with pytest.raises(LifespanError) as caught:
        play(scenario())
    return caught.value


def with_task() -> JobQueue:
    jobs = JobQueue()

    @jobs.task
    def nothing() -> None: ...

    return jobs


def test_resources_are_open_for_all_jobs_in_between_and_closed_in_reverse(books: Books) -> None:
    jobs = JobQueue()
    notes: list[str] = []

    @jobs.lifespan
    def settings() -> Generator[dict[str, Any], None, None]:
        notes.append("settings open")
        yield {"settings": {"host": "example"}}
        notes.append("settings close")

    @jobs.lifespan
    async def client() -> AsyncGenerator[dict[str, Any]]:
        # What has to end in the asyncio task that it began in.
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(asyncio.sleep(60))
            notes.append("client opens")
            yield {"loop": asyncio.get_running_loop()}
            waiting.cancel()
        notes.append("client closes")

    @jobs.lifespan
    async def only_around() -> AsyncGenerator[None]:
        yield

    @jobs.around_attempt
    def look(job: CurrentJob) -> Generator[None, Any, None]:
        assert job.resources["settings"]["host"] == "example"
        yield

    @jobs.task(retry=Retry(attempts=1))
    async def coroutine() -> None:
        assert current_job().resources["loop"] is asyncio.get_running_loop()
        notes.append("coroutine")

    @jobs.task(retry=Retry(attempts=1))
    def plain() -> None:
        assert dict(current_job().resources).keys() == {"settings", "loop"}
        notes.append("plain")

    coroutine.enqueue(books.connection)
    plain.enqueue(books.connection)
    farewell = work_off(jobs, books)
    assert books.states() == {"completed": 2}
    assert notes[:2] == ["settings open", "client opens"]
    assert sorted(notes[2:4]) == ["coroutine", "plain"]
    assert notes[4:] == ["client closes", "settings close"]
    assert not farewell.anything_left


def test_they_are_closed_after_the_jobs_that_a_drain_waits_for(books: Books) -> None:
    jobs = JobQueue()
    notes: list[str] = []

    @jobs.lifespan
    async def client() -> AsyncGenerator[dict[str, Any]]:
        yield {"client": notes}
        notes.append("closed")

    @jobs.task
    async def lasts() -> None:
        await asyncio.sleep(0.3)
        current_job().resources["client"].append("used")

    job = lasts.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            await auntil(lambda: books.state(job) == "running", what="it runs")
            await it.stopped()

    play(scenario())
    assert (books.state(job), notes) == ("completed", ["used", "closed"])


def test_a_name_that_is_not_there_is_an_error_that_lists_what_is(books: Books) -> None:
    jobs = JobQueue()
    caught: list[KeyError] = []

    @jobs.lifespan
    def pools() -> Generator[dict[str, Any], None, None]:
        yield {"pool": 1, "cache": 2}

    @jobs.task
    def misses() -> None:
        resources: Any = current_job().resources
        assert "pol" not in resources
        assert resources.get("pol") is None
        with pytest.raises(TypeError):
            resources["pol"] = 3
        try:
            resources["pol"]
        except KeyError as error:
            caught.append(error)

    job = misses.enqueue(books.connection)
    work_off(jobs, books)
    assert books.state(job) == "completed"
    [error] = caught
    assert isinstance(error, UnknownResource)
    assert str(error) == "resource 'pol': no lifespan yields it; there are: 'cache', 'pool'"


def raises() -> Generator[dict[str, Any], None, None]:
    raise ConnectionError("nobody answers")
    yield {}


async def araises() -> AsyncGenerator[dict[str, Any]]:
    await asyncio.sleep(0)
    raise ConnectionError("nobody answers")
    yield {}


def exits() -> Generator[dict[str, Any], None, None]:
    raise SystemExit(3)
    yield {}


def does_not_yield() -> Generator[dict[str, Any], None, None]:
    if not current_job:
        yield {}


def yields_a_number() -> Generator[Any, None, None]:
    yield 42


def yields_a_number_for_a_name() -> Generator[Any, None, None]:
    yield {42: "it"}


async def yields_the_same() -> AsyncGenerator[dict[str, Any]]:
    yield {"first": 2}


REFUSED: dict[Callable[..., Any], str] = {
    raises: "lifespan 'raises': raised ConnectionError: nobody answers",
    araises: "lifespan 'araises': raised ConnectionError: nobody answers",
    exits: "lifespan 'exits': raised SystemExit: 3",
    does_not_yield: "lifespan 'does_not_yield': ended without a `yield`",
    yields_a_number: "lifespan 'yields_a_number': yields a int, no mapping",
    yields_a_number_for_a_name: "yields a resource under 42; name it by text",
    yields_the_same: "lifespan 'yields_the_same': yields 'first', as lifespan 'first' does",
}


@pytest.mark.parametrize(
    ("function", "words"), REFUSED.items(), ids=[it.__name__ for it in REFUSED]
)
def test_a_worker_without_its_resources_does_not_start_and_closes_those_it_has(
    books: Books, function: Any, words: str
) -> None:
    jobs = with_task()
    notes: list[str] = []

    @jobs.lifespan
    def first() -> Generator[dict[str, Any], None, None]:
        yield {"first": 1}
        notes.append("first closes")

    jobs.lifespan(function)

    @jobs.lifespan
    def third() -> Generator[None, None, None]:
        notes.append("third opens")
        yield

    job = jobs.tasks["nothing"].enqueue(books.connection)
    assert words in str(refusal(jobs, books))
    assert notes == ["first closes"]
    assert books.state(job) == "available"
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0
    assert books.connected() == 0


def fails_to_close() -> Generator[None, None, None]:
    yield
    raise OSError("the disk is gone")


async def yields_twice() -> AsyncGenerator[None]:
    yield
    yield


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (fails_to_close, "lifespan 'fails_to_close': raised while closing"),
        (yields_twice, "lifespan 'yields_twice': yielded twice"),
    ],
)
def test_what_goes_wrong_at_the_close_is_logged_and_the_others_are_closed(
    books: Books, caplog: pytest.LogCaptureFixture, function: Any, words: str
) -> None:
    jobs = with_task()
    notes: list[str] = []

    @jobs.lifespan
    def first() -> Generator[None, None, None]:
        yield
        notes.append("first closes")

    jobs.lifespan(function)
    jobs.tasks["nothing"].enqueue(books.connection)
    work_off(jobs, books)
    assert notes == ["first closes"]
    assert words in caplog.text


@pytest.mark.parametrize("is_async", [False, True])
def test_one_that_hangs_at_the_close_holds_up_neither_the_worker_nor_the_others(
    books: Books,
    caplog: pytest.LogCaptureFixture,
    release: threading.Event,
    is_async: bool,
) -> None:
    jobs = with_task()
    notes: list[str] = []

    @jobs.lifespan
    async def first() -> AsyncGenerator[None]:
        yield
        notes.append("first closes")

    def hangs() -> Generator[None, None, None]:
        yield
        release.wait(60)

    async def ahangs() -> AsyncGenerator[None]:
        yield
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    jobs.lifespan(ahangs if is_async else hangs)

    async def scenario() -> tuple[Farewell, float]:
        async with running(jobs, books.url) as it:
            it.worker._lifespans._close_seconds = 0.6
            await auntil(
                lambda: books.value("SELECT count(*) FROM jobqueue.workers"), what="it has started"
            )
            began = time.monotonic()
            farewell = await it.stopped()
            seconds = time.monotonic() - began
            release.set()
            return farewell, seconds

    farewell, seconds = play(scenario())
    assert seconds < 5
    assert notes == ["first closes"]
    assert "not closed within 0.3 s" in caplog.text
    # The process has to know of what would keep it from ending; a daemon thread does not.
    assert farewell.coroutines_left == int(is_async)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_worker_that_is_stopped_while_it_opens_them_goes_at_once(
    books: Books, release: threading.Event, is_async: bool
) -> None:
    jobs = with_task()
    notes: list[str] = []
    opening = threading.Event()

    @jobs.lifespan
    def first() -> Generator[None, None, None]:
        yield
        notes.append("first closes")

    def slow() -> Generator[None, None, None]:
        opening.set()
        release.wait(60)
        yield

    async def aslow() -> AsyncGenerator[None]:
        opening.set()
        try:
            await asyncio.sleep(60)
            yield
        finally:
            notes.append("slow is taken back")

    jobs.lifespan(aslow if is_async else slow)

    async def scenario() -> Farewell:
        async with running(jobs, books.url) as it:
            await auntil(opening.is_set, what="it is being opened")
            return await it.stopped()

    assert not play(scenario()).anything_left
    assert notes == [*(["slow is taken back"] if is_async else []), "first closes"]


def test_what_cannot_be_a_lifespan_is_refused_when_it_is_registered() -> None:
    jobs = JobQueue()

    def takes_something(jobs: JobQueue) -> Generator[None, None, None]:
        yield

    def is_none() -> dict[str, Any]:
        return {}

    for function, words in {
        takes_something: "cannot be called as takes_something()",
        is_none: "lifespan 'is_none': is no generator function",
    }.items():
        with pytest.raises(ConfigurationError) as caught:
            jobs.lifespan(function)  # type: ignore[type-var]
        assert words in str(caught.value)
